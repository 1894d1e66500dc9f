"""Task x tokens x complexity -> models; and staying with a tier for a while once it had to be left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ghostrouter.config.routing import Promotion as Targets
from ghostrouter.config.routing import Tier


def pick(rows: Sequence[Tier], tokens: int, complexity: float, promoted: int = 0) -> tuple[int, Tier]:
    """The first row that a prompt fits into, `promoted` rows further up; the last where it fits into none."""
    fitting = (i for i, r in enumerate(rows) if (r.tokens is None or tokens <= r.tokens) and complexity <= r.complexity)
    number = min(next(fitting, len(rows) - 1) + promoted, len(rows) - 1)
    return number, rows[number]


@dataclass(frozen=True, slots=True)
class Promotion:
    """Hysteresis of one task: `level` rows up since `since_s`, after so many breaches or healthy answers in a row."""

    level: int = 0
    since_s: float = 0.0
    breaches: int = 0
    healthy: int = 0


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Up a row after `breaches` in a row, down again after `healthy` in a row, but not before `hold_s`."""

    breaches: int = 3
    healthy: int = 10
    hold_s: float = 60.0
    most: int = 2

    def observe(self, state: Promotion, breached: bool, now_s: float) -> Promotion:
        """The state after an answer that kept or missed its target of latency or confidence."""
        if breached:
            counted = replace(state, breaches=state.breaches + 1, healthy=0)
            if counted.breaches >= self.breaches and state.level < self.most:
                return Promotion(state.level + 1, now_s)
            return counted
        counted = replace(state, healthy=state.healthy + 1, breaches=0)
        if counted.healthy >= self.healthy and state.level and now_s - state.since_s >= self.hold_s:
            return Promotion(state.level - 1, now_s)
        return counted


class Promotions:
    """How far each task is promoted, after the answers it got: rows of its tier table, or models of its route."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self._rule = Hysteresis(targets.breaches, targets.healthy, targets.hold_s, targets.most)
        self._states: dict[str, Promotion] = {}

    @property
    def has_targets(self) -> bool:
        """Whether anything can be promoted."""
        return self.targets.first_token_s is not None or self.targets.confidence is not None

    def observe(self, task: str, first_token_s: float | None, confidence: float | None, now_s: float) -> int:
        """Count an answer, and tell how many rows up its task is now. What is None is not known of it."""
        late, sure = self.targets.first_token_s, self.targets.confidence
        if not self.has_targets:
            return 0
        breached = bool(late is not None and first_token_s is not None and first_token_s > late) or bool(
            sure is not None and confidence is not None and confidence < sure
        )
        state = self._states[task] = self._rule.observe(self._states.get(task, Promotion()), breached, now_s)
        return state.level

    @property
    def levels(self) -> dict[str, int]:
        """Task -> rows up."""
        return levels(self._states)


def levels(states: Mapping[str, Promotion]) -> dict[str, int]:
    """Task -> rows up."""
    return {task: state.level for task, state in states.items() if state.level}
