"""Exemplars: for each series of a metric, the newest session that it has counted. From a graph to the session.

Ray's export has none, so each ingress keeps those of its own sessions, and `GET /metrics` adds them. There are as many
as there are series, and labels have few values.
"""

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass

from ghostrouter.events.metrics import Metric
from ghostrouter.events.session_metrics import Measured

LABELS_MOST = 128
"""OpenMetrics 1.0: most characters of an exemplar's labels, names and values together."""

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A session in a series. `value` is what it added to a counter, or gave to a histogram.

    `trace` is the id of its OpenTelemetry trace; empty if it has none. `at_s` is a Unix time.
    """

    session: str
    trace: str
    value: float
    at_s: float

    @property
    def labels(self) -> dict[str, str]:
        """Its labels. The trace is left out if both do not fit; without any label it says nothing."""
        both = {"session_id": self.session, "trace_id": self.trace} if self.trace else {"session_id": self.session}
        while both and sum(len(name) + len(value) for name, value in both.items()) > LABELS_MOST:
            both.popitem()
        return both


class Exemplars:
    """The exemplars of one ingress."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[Labels, float | None], Exemplar]] = {}

    def note(self, measured: Iterable[Measured], session: str, trace: str, at_s: float) -> None:
        """A session was counted. It takes the place of those before it in the same series."""
        for metric, value, labels in measured:
            series = frozenset(labels.items()), bucket(metric, value)
            self._found.setdefault(metric.name, {})[series] = Exemplar(session, trace, value, at_s)

    @property
    def metrics(self) -> frozenset[str]:
        """The names of the metrics that have exemplars."""
        return frozenset(self._found)

    def of(self, metric: str, labels: Labels, bound: float | None = None) -> Exemplar | None:
        """The exemplar of a series with these labels and others besides. `bound` is the bucket of a histogram."""
        found = self._found.get(metric, {})
        return next((e for (known, at), e in found.items() if at == bound and known <= labels), None)


def bucket(metric: Metric, value: float) -> float | None:
    """The upper bound of the bucket that gets a value. None: the metric has no buckets."""
    if metric.kind != "histogram":
        return None
    at = bisect.bisect_left(metric.bounds, value)
    return metric.bounds[at] if at < len(metric.bounds) else math.inf
