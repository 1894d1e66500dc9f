"""The ingress as the HTTP side sees it."""

from typing import Protocol

from deployments.http.health import Health
from deployments.http.node_metrics import NodeMetrics
from deployments.session.branches import Branches
from deployments.session.embedding_models import EmbeddingModels
from deployments.session.fleet_feed import FleetFeed
from deployments.session.jobs import Jobs
from deployments.session.kept_sessions import KeptSessions
from deployments.session.planner import Planner
from deployments.session.session_runner import SessionRunner
from deployments.store.event_client import EventClient
from deployments.store.quota_client import QuotaClient


class Backend(Protocol):
    """Everything that HTTP handlers may use."""

    @property
    def planner(self) -> Planner:
        """Decides about calls, and opens sessions."""
        ...

    @property
    def runner(self) -> SessionRunner:
        """Runs sessions that are ready."""
        ...

    @property
    def kept_sessions(self) -> KeptSessions:
        """The sessions in the journal."""
        ...

    @property
    def embeddings(self) -> EmbeddingModels:
        """The models behind /v1/embeddings."""
        ...

    @property
    def events(self) -> EventClient:
        """The event store."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The jobs of the call API."""
        ...

    @property
    def health(self) -> Health:
        """The health of the service."""
        ...

    @property
    def branches(self) -> Branches:
        """Opens sessions that go on from a part of another one."""
        ...

    @property
    def fleet(self) -> FleetFeed:
        """The sessions of all ingresses."""
        ...

    @property
    def quotas(self) -> QuotaClient:
        """The budgets."""
        ...

    @property
    def keep_s(self) -> float:
        """How long a session is kept after its last token."""
        ...

    @property
    def node_metrics(self) -> NodeMetrics:
        """The metrics of all nodes."""
        ...

    @property
    def headers_after_s(self) -> float:
        """A stream's headers are sent after this time even if there is no first token yet."""
        ...
