"""Are off-policy estimates right? Logged runs of known policies on data where the truth is known.

    make bench NAME=ope [DATA=../shared/data/bandit] [RUNS=200] [DECISIONS=1000] [SEED=1]

Each run draws questions with replacement and logs the choices of one of four known policies, their propensities and
rewards, and nothing else. From the log the value of ten other policies is estimated. Their true value is the mean over
all questions of the data, where every model's reward is known.

`ci_covers_truth_share` counts doubly robust intervals of nominal 95% that hold the truth, over all runs and policies.
`dr_rmse_over_ips` is the root of the mean squared error of DR divided by that of IPS. The same figures of every
estimator and policy stand beside.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.learning import DATA, Table
from bench.service import write
from ghostrouter.classify.features import features
from ghostrouter.classify.structure import complexity, estimate_tokens
from ghostrouter.learn import off_policy
from ghostrouter.learn.off_policy import Logged

Array = npt.NDArray[np.float64]

RUNS = int(os.environ.get("RUNS", "200"))
DECISIONS = int(os.environ.get("DECISIONS", "1000"))
SEED = int(os.environ.get("SEED", "1"))
_FLOOR = 0.05
_ESTIMATORS = ("ips", "snips", "dr")


def softmax(scores: Array) -> Array:
    """Probabilities of the models from scores, both of shape (questions, models)."""
    e = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def policies(table: Table) -> tuple[dict[str, Array], dict[str, Array]]:
    """The logging policies and the ten target policies: probabilities of shape (questions, models), by name."""
    count, models = table.reward.shape
    hard = np.array([complexity(p, estimate_tokens(p)) for p in table.prompts])
    long = np.array([len(p) for p in table.prompts])
    rank = np.arange(models)

    def by(score: Array, steep: float) -> Array:
        where = np.argsort(np.argsort(score)) / max(1, count - 1) * (models - 1)
        return softmax(-steep * np.abs(where[:, None] - rank[None]))

    always = [np.tile(np.eye(models)[m], (count, 1)) for m in range(models)]
    uniform = np.full((count, models), 1 / models)
    noise = np.random.default_rng(99).normal(size=(count, models))
    logging = {
        "uniform": uniform,
        "cheap": 0.7 * always[0] + 0.3 * uniform,
        "complexity": by(hard, 2.0),
        "length": by(long.astype(float), 2.0),
    }
    targets = {
        "cheapest": always[0],
        "dearest": always[-1],
        "middle": always[models // 2],
        "uniform": uniform,
        "complexity": by(hard, 4.0),
        "simplicity": by(-hard, 4.0),
        "length": by(long.astype(float), 4.0),
        "shortness": by(-long.astype(float), 4.0),
        "noise": softmax(2 * noise),
        "mostly_dearest": 0.8 * always[-1] + 0.2 * uniform,
    }
    floored = {name: (1 - _FLOOR * models) * p + _FLOOR for name, p in logging.items()}
    return floored, targets


def run(table: Table, counted: Array, behaviour: Array, targets: dict[str, Array], seed: int) -> dict[str, Any]:
    """The estimates of all targets from one log, by policy and estimator."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(table.prompts), DECISIONS)
    action = (rng.random((DECISIONS, 1)) > np.cumsum(behaviour[rows], axis=1)).sum(1).clip(max=behaviour.shape[1] - 1)
    logged = Logged(action, behaviour[rows, action], table.reward[rows, action])
    model = off_policy.cross_fitted(logged, counted[rows], behaviour.shape[1])
    return {name: off_policy.estimates(logged, target[rows], model) for name, target in targets.items()}


def measure(table: Table, tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """All figures."""
    counted = features(table.prompts)
    logging, targets = policies(table)
    truth = {name: float((p * table.reward).sum(1).mean()) for name, p in targets.items()}
    behaviours = list(logging.values())
    runs = []
    for number in range(RUNS):
        runs.append(run(table, counted, behaviours[number % len(behaviours)], targets, SEED * 100_000 + number))
        if number % 50 == 49:
            tell(f"{number + 1} of {RUNS} runs")
    found: dict[str, Any] = {"runs": RUNS, "policies": len(targets), "decisions": DECISIONS}
    by_policy: dict[str, dict[str, float]] = {name: {"truth": truth[name]} for name in targets}
    errors: dict[str, list[float]] = {}
    for estimator in _ESTIMATORS:
        covered, wrong, width = [], [], []
        for name in targets:
            got = [r[name][estimator] for r in runs]
            holds = [g.low <= truth[name] <= g.high for g in got]
            by_policy[name][f"{estimator}_covers"] = float(np.mean(holds))
            by_policy[name][f"{estimator}_rmse"] = float(np.sqrt(np.mean([(g.value - truth[name]) ** 2 for g in got])))
            covered += holds
            wrong += [g.value - truth[name] for g in got]
            width += [g.high - g.low for g in got]
        errors[estimator] = wrong
        found |= {f"{estimator}_covers": float(np.mean(covered)), f"{estimator}_width": float(np.mean(width))}
        found |= {
            f"{estimator}_rmse": float(np.sqrt(np.mean(np.square(wrong)))),
            f"{estimator}_bias": float(np.mean(wrong)),
        }
    found["ci_covers_truth_share"] = found["dr_covers"]
    found["dr_rmse_over_ips"] = found["dr_rmse"] / found["ips_rmse"]
    found["dr_rmse_over_snips"] = found["dr_rmse"] / found["snips_rmse"]
    return {**found, **{f"policy_{name}": of for name, of in by_policy.items()}}


def main() -> None:
    write("ope", measure(Table.read(DATA), print))


if __name__ == "__main__":
    main()
