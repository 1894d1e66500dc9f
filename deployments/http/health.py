"""The health of the service: for load balancers, which have no key, and for people, who have one."""

from collections.abc import Mapping
from typing import Any

from deployments.engine.engine_client import EngineClient
from deployments.http.cached import Cached
from deployments.rpc import DeploymentClient
from deployments.session.jobs import Jobs
from deployments.session.planner import Planner
from deployments.store.event_client import EventClient
from ghostrouter import __version__
from ghostrouter.api.call_result import iso
from ghostrouter.config import CloudModel
from ghostrouter.errors import StoreFailed
from ghostrouter.events.records import STATUSES, JobStatus
from ghostrouter.types import EngineStatus

_KEEP_S = 1.0


class Health:
    """Asks engines, breakers and event store at most once a second each, however many clients ask for /health.

    `GET /v1/status`, which needs a key, asks the engines every time.
    """

    def __init__(
        self,
        engines: EngineClient,
        replay: DeploymentClient,
        events: EventClient,
        planner: Planner,
        cloud: Mapping[str, CloudModel],
    ) -> None:
        self._replay = replay
        self._planner = planner
        self._cloud = cloud
        self._engines: Cached[dict[str, EngineStatus | None]] = Cached(engines.status, _KEEP_S)
        self._engines_now: Cached[dict[str, EngineStatus | None]] = Cached(engines.status, 0.0)
        self._breakers: Cached[dict[str, Any]] = Cached(self._ask_breakers, _KEEP_S)
        self._job_counts: Cached[dict[JobStatus, int]] = Cached(lambda: events.counts(), _KEEP_S)

    async def is_ready(self) -> bool:
        """Whether the service can answer: a model of the default route is ready, or is a cloud model."""
        names = self._planner.routes["default"]
        if any(name in self._cloud for name in names):
            return True
        status = await self._engines.get()
        return any(status.get(name) for name in names)

    async def models(self, *, now: bool) -> dict[str, Any]:
        """Which local models are ready, and how many requests a replica of each runs: now, or a second ago."""
        status = await (self._engines_now if now else self._engines).get()
        return {name: {"ready": s is not None, "running": s.running if s else None} for name, s in status.items()}

    async def breakers(self) -> dict[str, Any]:
        """The circuit breakers of the cloud models that were called. Providers are not asked: that would cost money."""
        return await self._breakers.get()

    async def status(self) -> dict[str, Any]:
        """Which models can answer, and which ones a request of each route would go to now, the first one first.

        A local model can answer if a replica is ready, a cloud model if its breaker is not open.
        """
        models, breakers = await self.models(now=True), await self.breakers()
        down = {name for name, m in models.items() if not m["ready"]}
        down |= {name for name, b in breakers.items() if b["state"] == "open"}
        routes = {
            route: {"models": names, "tried": [n for n in names if n not in down]}
            for route, names in self._planner.routes.items()
        }
        return {"models": models, "breakers": breakers, "routes": routes}

    async def brief(self, jobs: Jobs) -> dict[str, Any]:
        """The body of /health for clients without a key. Neither the database nor the breakers are asked."""
        status = "healthy" if await self.is_ready() else "unhealthy"
        return {"status": status, "version": __version__, "started_at": iso(jobs.started_s)}

    async def full(self, jobs: Jobs) -> dict[str, Any]:
        """The body of /health for clients with a key."""
        body = await self.brief(jobs)
        try:
            counts = await self._job_counts.get()
        except StoreFailed:
            counts = dict.fromkeys(STATUSES, 0)
            body["status"] = "degraded" if body["status"] == "healthy" else body["status"]
        body["jobs"] = {"total_jobs": sum(counts.values()), "max_jobs": jobs.rules.max_jobs, "by_status": counts}
        return body | {"breakers": await self.breakers()}

    async def _ask_breakers(self) -> dict[str, Any]:
        if not self._cloud:
            return {}
        found: dict[str, Any] | None = await self._replay.ask_or_none("breakers")
        return {name: {"provider": self._cloud[name].provider, **state} for name, state in (found or {}).items()}
