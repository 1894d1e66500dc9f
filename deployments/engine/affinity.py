"""Ray Serve's request router for local models: it puts the replicas that a segment prefers first."""

from collections.abc import Sequence
from random import Random

from ray.serve.request_router import PendingRequest, RequestRouter, RunningReplica

from deployments.engine import draining
from ghostrouter.policy.replicas import rank
from ghostrouter.types import SegmentRequest


class AffinityRouter(RequestRouter):
    """Puts the preferred replica first and the one to avoid last. Of the others it compares the queues of two."""

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Ranks of replicas. Serve takes the replica with the shortest queue in the first rank that has room."""
        request = pending_request.args[0] if pending_request and pending_request.args else None
        prefer, avoid = "", ""
        if isinstance(request, SegmentRequest):
            prefer, avoid = request.prefer_replica, request.avoid_replica
        by_id = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        return [[by_id[i] for i in ids] for ids in rank(list(by_id), prefer, avoid, self._rng)]

    def update_replicas(self, replicas: Sequence[RunningReplica]) -> None:
        """Serve calls this whenever a replica comes or goes."""
        super().update_replicas(list(replicas))
        draining.set_running(self._deployment_id.name, (r.replica_id.unique_id for r in replicas))

    def initialize_state(self, **kwargs: object) -> None:
        """Serve calls this once."""
        self._rng = Random()
