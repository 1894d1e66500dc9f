"""Choose a row of a tier table by tokens and complexity, and promote tasks whose answers miss their targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ghostrouter.config.routing import Promotion as Targets
from ghostrouter.config.routing import Tier


def pick(rows: Sequence[Tier], tokens: int, complexity: float, promoted: int = 0) -> tuple[int, Tier]:
    """The first row that the prompt fits into, moved up by `promoted` rows; the last row if it fits into none."""
    fitting = (i for i, r in enumerate(rows) if (r.tokens is None or tokens <= r.tokens) and complexity <= r.complexity)
    number = min(next(fitting, len(rows) - 1) + promoted, len(rows) - 1)
    return number, rows[number]


@dataclass(frozen=True, slots=True)
class Promotion:
    """The state of one task: promoted by `level` rows since `since_s`, and its breaches or healthy answers in a row."""

    level: int = 0
    since_s: float = 0.0
    breaches: int = 0
    healthy: int = 0


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """One row up after `breaches` breaches in a row; down again after `healthy` healthy answers and `dwell_s`."""

    breaches: int = 3
    healthy: int = 10
    dwell_s: float = 60.0
    max_level: int = 2

    def observe(self, state: Promotion, breached: bool, now_s: float) -> Promotion:
        """The state after one more answer. `breached` says that it missed a target."""
        if breached:
            counted = replace(state, breaches=state.breaches + 1, healthy=0)
            if counted.breaches >= self.breaches and state.level < self.max_level:
                return Promotion(state.level + 1, now_s)
            return counted
        counted = replace(state, healthy=state.healthy + 1, breaches=0)
        if counted.healthy >= self.healthy and state.level and now_s - state.since_s >= self.dwell_s:
            return Promotion(state.level - 1, now_s)
        return counted


class Promotions:
    """By how many rows of its tier table, or models of its route, each task is promoted."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self._rule = Hysteresis(targets.breaches, targets.healthy, targets.dwell_s, targets.max_level)
        self._states: dict[str, Promotion] = {}

    @property
    def has_targets(self) -> bool:
        """Whether there is any target. Without one nothing is promoted."""
        return self.targets.first_token_s is not None or self.targets.confidence is not None

    def observe(self, task: str, first_token_s: float | None, confidence: float | None, now_s: float) -> int:
        """Count an answer; returns the level of its task. A value that is None is not known."""
        max_first_token_s, min_confidence = self.targets.first_token_s, self.targets.confidence
        if not self.has_targets:
            return 0
        late = max_first_token_s is not None and first_token_s is not None and first_token_s > max_first_token_s
        unsure = min_confidence is not None and confidence is not None and confidence < min_confidence
        breached = late or unsure
        state = self._states[task] = self._rule.observe(self._states.get(task, Promotion()), breached, now_s)
        return state.level

    @property
    def levels(self) -> dict[str, int]:
        """The level of each promoted task."""
        return levels(self._states)


def levels(states: Mapping[str, Promotion]) -> dict[str, int]:
    """The level of each promoted task."""
    return {task: state.level for task, state in states.items() if state.level}
