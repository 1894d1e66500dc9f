"""How good the answers are, by task and model, from recorded sessions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ghostrouter.learn.recorded import Recorded, implicit_signals

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95% interval (Wilson 1927). `value` is None if nothing was counted."""

    good: int
    count: int

    @property
    def value(self) -> float | None:
        return self.good / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds; 0 and 1 if nothing was counted."""
        n = self.count
        if not n:
            return 0.0, 1.0
        p, z2 = self.good / n, _Z * _Z
        middle, half = (
            (p + z2 / (2 * n)) / (1 + z2 / n),
            _Z / (1 + z2 / n) * (p * (1 - p) / n + z2 / (4 * n * n)) ** 0.5,
        )
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Row:
    """The answers of one task that began with one model.

    `accuracy` is the share of rated answers with a rating above 0. `signals` counts what callers said without words.
    """

    task: str
    model: str
    sessions: int
    accuracy: Share
    usd: float
    handoffs: int
    signals: Mapping[str, int]


def by_task_and_model(sessions: Sequence[Recorded]) -> list[Row]:
    """One row per task and first model, most sessions first. Sessions without a trace are left out."""
    groups: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
    for session in sessions:
        if session.trace.get("plan"):
            groups[session.task or "default", session.trace["plan"][0]].append(session)
    unspoken = implicit_signals(sessions)
    rows = []
    for (task, model), of in groups.items():
        rated = [s.rating for s in of if s.rating is not None]
        signals: dict[str, int] = defaultdict(int)
        for session in of:
            for signal in unspoken.get(session.id, ()):
                signals[signal] += 1
        usd = sum(s.trace.get("cost_usd") or 0.0 for s in of) / len(of)
        handoffs = sum(s.trace.get("handoffs") or 0 for s in of)
        accuracy = Share(sum(r > 0 for r in rated), len(rated))
        rows.append(Row(task, model, len(of), accuracy, usd, handoffs, dict(signals)))
    return sorted(rows, key=lambda r: (-r.sessions, r.task, r.model))
