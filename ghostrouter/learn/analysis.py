"""What goes wrong in routing, systematically: from recorded sessions to findings and proposed routes."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ghostrouter.errors import ConfigError
from ghostrouter.learn import off_policy
from ghostrouter.learn.off_policy import Logged, Value
from ghostrouter.learn.recorded import Recorded
from ghostrouter.learn.statistics import Row, by_task_and_model

_LEAST = 20
_EXAMPLES = 3
_DRIFT = 0.2


@dataclass(frozen=True, slots=True)
class Misrouting:
    """Answers of one task by one model that are rated worse than all others, by their intervals.

    `wanted` counts the models and tasks that callers named instead. `examples` are prompts; ids, if no texts are kept.
    """

    row: Row
    others: float
    wanted: Mapping[str, int]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Another first model for a task, with the gain in mean reward that off-policy evaluation predicts."""

    task: str
    model: str
    instead_of: str
    gain: Value


@dataclass(frozen=True, slots=True)
class Analysis:
    """All findings. `drift` has tasks whose share of the requests changed, as (before, after); `dead_tasks` are routes
    that no request took.
    """

    sessions: int
    rated: int
    rows: tuple[Row, ...]
    misroutings: tuple[Misrouting, ...]
    drift: Mapping[str, tuple[float, float]]
    population_stability: float
    dead_tasks: tuple[str, ...]
    proposals: tuple[Proposal, ...]


def analyse(sessions: Sequence[Recorded], routes: Mapping[str, Collection[str]]) -> Analysis:
    """Analyse sessions, oldest first. `routes` are the configured ones."""
    rows = by_task_and_model(sessions)
    drift, stability = _drift(sessions)
    seen = {s.task for s in sessions if s.task}
    return Analysis(
        len(sessions),
        sum(s.rating is not None for s in sessions),
        tuple(rows),
        tuple(_misroutings(rows, sessions)),
        drift,
        stability,
        tuple(sorted(set(routes) - seen - {"default"})),
        tuple(_proposals(sessions, routes)),
    )


def _misroutings(rows: Sequence[Row], sessions: Sequence[Recorded]) -> list[Misrouting]:
    found = []
    for row in rows:
        others = [r.accuracy for r in rows if r is not row and r.accuracy.count]
        count = sum(o.count for o in others)
        if row.accuracy.count < _LEAST or not count:
            continue
        usual = sum(o.good for o in others) / count
        if row.accuracy.interval[1] < usual:
            bad = [s for s in sessions if (s.task or "default") == row.task and (s.rating or 0) < 0]
            bad = [s for s in bad if s.trace.get("plan", [""])[0] == row.model]
            wanted = Counter(
                str(f[key]) for s in bad for f in s.feedback for key in ("correct_model", "correct_task") if f.get(key)
            )
            examples = tuple((s.question or s.id)[:120] for s in bad[-_EXAMPLES:])
            found.append(Misrouting(row, usual, dict(wanted), examples))
    return found


def _drift(sessions: Sequence[Recorded]) -> tuple[dict[str, tuple[float, float]], float]:
    """Tasks whose share changed from the first to the second half, and the population stability index of all."""
    tasks = [s.task or "default" for s in sorted(sessions, key=lambda s: s.at_s)]
    half = len(tasks) // 2
    if half < _LEAST:
        return {}, 0.0
    before, after = Counter(tasks[:half]), Counter(tasks[half:])
    changed, index = {}, 0.0
    for task in {*before, *after}:
        # Half an answer is added, so that a new task has a logarithm.
        old, new = (before[task] + 0.5) / (half + 0.5), (after[task] + 0.5) / (len(tasks) - half + 0.5)
        term = (new - old) * float(np.log(new / old))
        index += term
        if term > _DRIFT / 4:
            changed[task] = (before[task] / half, after[task] / (len(tasks) - half))
    return changed, index


def _proposals(sessions: Sequence[Recorded], routes: Mapping[str, Collection[str]]) -> list[Proposal]:
    """Per task the first model that is better than what served, by the whole 95% interval."""
    by_task: dict[str, list[Recorded]] = defaultdict(list)
    for session in sessions:
        if session.rating is not None and session.trace.get("plan") and (session.trace.get("propensity") or 0) > 0:
            by_task[session.task or "default"].append(session)
    found = []
    for task, of in by_task.items():
        route = list(routes.get(task) or routes.get("default") or ())
        of = [s for s in of if s.trace["plan"][0] in route]
        if len(of) < _LEAST or len(route) < 2:
            continue
        best: Proposal | None = None
        for model in route[1:]:
            gain = _gain(of, route, model)
            if gain and gain.low > 0 and (best is None or gain.value > best.gain.value):
                best = Proposal(task, model, route[0], gain)
        if best:
            found.append(best)
    return found


def _gain(sessions: Sequence[Recorded], route: Sequence[str], model: str) -> Value | None:
    """What beginning with `model` would bring; None if the log has too few tries of it to tell."""
    action = np.array([route.index(s.trace["plan"][0]) for s in sessions])
    reward = np.array([((s.rating or 0.0) + 1) / 2 for s in sessions])
    if (action == route.index(model)).sum() < _LEAST // 2:
        return None
    try:
        logged = Logged(action, np.array([s.trace["propensity"] for s in sessions]), reward)
    except ConfigError:
        return None
    target = np.zeros((len(sessions), len(route)))
    target[:, route.index(model)] = 1.0
    about = np.array([_about(s.request) for s in sessions])
    return off_policy.gain_over_log(logged, target, off_policy.cross_fitted(logged, about, len(route)))


def _about(request: Mapping[str, Any]) -> list[float]:
    turns = request.get("turns") or []
    return [float(len(turns)), float(np.log1p(sum(t["characters"] for t in turns)))]
