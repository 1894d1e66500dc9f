"""The replay engine: seams, and the record of what happened at them."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.replay import tokenizers
from ghostrouter.replay.seam import Seam, SeamRequest, plan_seam


class Replay:
    """Computes seams and keeps the newest `traces_kept` traces."""

    def __init__(self, models: Sequence[LocalModel], cloud: Sequence[CloudModel], traces_kept: int) -> None:
        self._tokenizers = tokenizers.load(models)
        self._cloud = {m.name: m for m in cloud}
        self._traces: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._traces_kept = traces_kept

    async def plan(self, request: SeamRequest) -> Seam:
        """How the answer goes on with another model."""
        return plan_seam(request, self._tokenizers, self._cloud)

    async def record(self, trace: dict[str, Any]) -> None:
        """Keep a session's trace; the oldest goes when there are too many."""
        self._traces[trace["id"]] = trace
        while len(self._traces) > self._traces_kept:
            self._traces.popitem(last=False)

    async def trace(self, session: str) -> dict[str, Any] | None:
        """The trace of a session, None when it is not kept (any more)."""
        return self._traces.get(session)
