"""Does the bandit choose better than the rules, within a dollar budget? Every model's reward and cost is known.

    make bench NAME=learning [DATA=../shared/data/bandit] [SEEDS=20] [BUDGETS=0.04,0.1,0.25] [PAST=0.33]

DATA is a file of JSON lines, or a folder with `val.jsonl`: `prompt`, and `arms` with `reward` and `cost` by model.

* A fixed share of the questions is the past. There all answers were judged. The learned router is trained on it, the
  expected costs come from it, and the settings of the bandit are chosen on it: by bandits that run over one half of the
  past, with a router trained on the other half. Nothing is chosen on the rest.
* The rest arrives in random order, once per seed. The bandit sees the reward and the cost of the models it chose only.
* A budget is a share of what the best fixed model costs per question. It is paced: a question earns its budget when it
  arrives. `tight` is a budget that is too small for the middle model; it is reported apart.
* The oracle knows every reward and cost, and has the same budget. `best_fixed` is the best single model by mean reward,
  whatever it costs. The rules are those of this repository as they serve without learning: the first model of the route
  is the cheapest. `rules_by_complexity` are harder to beat: they spend the budget on the questions that look hardest.

Figures without a budget in their name are the worst of the three budgets. Regret is per question.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import learning_peers
from bench.peer_environments import python_of
from bench.service import write
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.classify.features import features
from ghostrouter.classify.structure import complexity, estimate_tokens
from ghostrouter.config import cache_dir
from ghostrouter.learn.bandit import Arm, choose
from ghostrouter.learn.context import context
from ghostrouter.learn.embedded import embedded
from ghostrouter.learn.learner import Learner, Prior
from ghostrouter.learn.off_policy import ridge
from ghostrouter.learn.pacing import Pacer
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.learn.rows import Rows
from ghostrouter.learn.views import Views

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

DATA = Path(os.environ.get("DATA", "../shared/data/bandit"))
SEEDS = int(os.environ.get("SEEDS", "20"))
PAST = float(os.environ.get("PAST", "0.33"))
BUDGETS = tuple(float(b) for b in os.environ.get("BUDGETS", "0.04,0.1,0.25").split(","))
TIGHT = 0.02
_ENCODER = "all-MiniLM-L6-v2"
_GRID = tuple(Prior(spread, noise, 20_000.0) for spread in (0.01, 0.03, 0.1) for noise in (0.02, 0.05))
_MOST_SAVED_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Table:
    """Questions that every model answered: `reward` and `usd` have the shape (questions, models)."""

    prompts: tuple[str, ...]
    kinds: tuple[str, ...]
    models: tuple[str, ...]
    reward: Array
    usd: Array

    @classmethod
    def read(cls, path: Path) -> "Table":
        file = path / "val.jsonl" if path.is_dir() else path
        if not file.is_file():
            sys.exit(f"missing: {file}. Name the data: DATA=... make bench NAME=...")
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
        usd = np.array([[a["cost"] for a in row["arms"].values()] for row in rows])
        order = np.argsort(usd.mean(0))  # cheapest first, as in a route
        reward = np.array([[a["reward"] for a in row["arms"].values()] for row in rows])
        models = np.array(list(rows[0]["arms"]))[order]
        kinds = tuple(str(row.get("source", "")) for row in rows)
        return cls(tuple(r["prompt"] for r in rows), kinds, tuple(models), reward[:, order], usd[:, order])


@dataclass(frozen=True, slots=True)
class Known:
    """What router and prices tell of each question before a model is asked. Both have the shape (questions, models)."""

    quality: Array
    usd: Array
    context: Array


def is_past(prompt: str) -> bool:
    """Whether a question belongs to the past. It depends on the question alone."""
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:4], "big") / 2**32 < PAST


def knowledge(table: Table, views: Views, past: Index, warm: bool = True) -> Known:
    """What a router that was trained on the past knows of all questions; without `warm` it knows mean costs only."""
    if warm:
        rows = Rows(table.prompts, table.kinds, table.models, table.reward).take(past)
        quality = LearnedRouter.fit(rows, views.take(past)).probabilities(views)
        counts = np.asarray(views.counts, dtype=np.float64)
        usd = np.stack([_costs(counts, table.usd[:, m], past) for m in range(len(table.models))], axis=1)
    else:
        quality = np.full(table.reward.shape, 0.5)
        usd = np.tile(table.usd[past].mean(0), (len(table.prompts), 1))
    tokens = [estimate_tokens(p) for p in table.prompts]
    about = [context(q, complexity(p, t), t) for q, p, t in zip(quality, table.prompts, tokens, strict=True)]
    return Known(quality, usd, np.stack(about))


def _costs(counts: Array, usd: Array, past: Index) -> Array:
    """Expected costs by one model: ridge regression of their logarithm on the counted features of the prompt."""
    logs = np.log(np.maximum(usd[past], 1e-9))
    low, high = logs.min(), logs.max() + 1e-9
    predict = ridge(counts[past], (logs - low) / (high - low), 100.0)
    expected = np.exp(low + predict(counts) * (high - low))
    return np.asarray(expected * usd[past].mean() / expected[past].mean())


@dataclass(frozen=True, slots=True)
class Run:
    """One order of questions: mean reward, mean cost, the share of the budget that was overspent."""

    reward: float
    usd: float
    over: float


def bandit(
    table: Table, known: Known, order: Index, budget: float | None, prior: Prior, seed: int, explore: bool = True
) -> Run:
    """Run the bandit that serves over questions in an order. One question arrives per second."""
    pacer = None if budget is None else Pacer(budget, _MOST_SAVED_S, 1.0, 0.0)
    learner = Learner(table.models, known.context.shape[1], prior, pacer)
    rng, reward, usd = np.random.default_rng(seed), 0.0, 0.0
    for second, row in enumerate(order, 1):
        arms = [
            Arm(name, known.quality[row, m], known.usd[row, m], known.context[row])
            for m, name in enumerate(table.models)
        ]
        choice = choose(arms, learner.beliefs(float(second)), rng.random(), explore)
        number = table.models.index(choice.name)
        learner.decided(choice, float(second))
        learner.cost(arms[number], table.usd[row, number])
        learner.reward(arms[number], table.reward[row, number])
        reward, usd = reward + table.reward[row, number], usd + table.usd[row, number]
    return _run(reward, usd, len(order), budget)


def _run(reward: float, usd: float, count: int, budget: float | None) -> Run:
    over = max(0.0, usd / count / budget - 1) if budget else 0.0
    return Run(reward / count, usd / count, over)


def random_choice(table: Table, order: Index, budget: float, seed: int) -> Run:
    """A random model, if the money that has come in has room for the mean cost of it."""
    rng = np.random.default_rng(seed)
    return _spending(table, order, budget, rng.integers(0, len(table.models), len(order)))


def by_complexity(table: Table, order: Index, budget: float) -> Run:
    """Rules: thirds by complexity, the simplest to the cheapest model, while the budget has room."""
    hard = np.array([complexity(p, estimate_tokens(p)) for p in table.prompts])
    wanted = np.searchsorted(np.quantile(hard, np.linspace(0, 1, len(table.models) + 1)[1:-1]), hard, side="left")
    return _spending(table, order, budget, wanted[order])


def _spending(table: Table, order: Index, budget: float, wanted: Index) -> Run:
    mean, balance, reward, usd = table.usd.mean(0), 0.0, 0.0, 0.0
    for row, model in zip(order, wanted, strict=True):
        balance += budget
        while model and mean[model] > balance:
            model -= 1
        balance -= table.usd[row, model]
        reward, usd = reward + table.reward[row, model], usd + table.usd[row, model]
    return _run(reward, usd, len(order), budget)


def oracle(reward: Array, usd: Array, budget: float) -> float:
    """The highest mean reward within a mean cost, all rewards and costs known (Lagrangian relaxation)."""
    low, high = 0.0, 1e6
    for _ in range(80):
        price = (low + high) / 2
        best = (reward - price * usd).argmax(1)
        low, high = (price, high) if usd[np.arange(len(usd)), best].mean() > budget else (low, price)
    # At most one question lies between the two prices: the better bound is used, in favour of the oracle.
    best = (reward - low * usd).argmax(1)
    return float(reward[np.arange(len(reward)), best].mean())


def chosen_prior(table: Table, halves: Known, past: Index, share: float) -> Prior:
    """The settings with the highest reward on the past: run over one half of it, `halves` trained on the other half."""
    first, second = past[::2], past[1::2]
    usd = table.usd[first].mean(0)[table.reward[first].mean(0).argmax()] * share

    def found(prior: Prior) -> float:
        orders = [np.random.default_rng(seed).permutation(second) for seed in range(3)]
        return sum(bandit(table, halves, o, usd, prior, i).reward for i, o in enumerate(orders))

    return max(_GRID, key=found)


def within_budget(
    table: Table, known: Known, cold: Known, halves: Known, past: Index, rest: Index, share: float
) -> dict[str, float]:
    """The figures of one budget, a share of the cost of the best fixed model.

    `known` comes from the whole past, `cold` from nothing but mean costs, `halves` from one half of the past.
    """
    fixed = int(table.reward[past].mean(0).argmax())
    budget = share * float(table.usd[past, fixed].mean())
    best = oracle(table.reward[rest], table.usd[rest], budget)
    best_fixed, best_fixed_usd = float(table.reward[rest, fixed].mean()), float(table.usd[rest, fixed].mean())
    prior = chosen_prior(table, halves, past, share)
    orders = _orders(rest)
    runs = {
        "": [bandit(table, known, o, budget, prior, i) for i, o in enumerate(orders)],
        "greedy_": [bandit(table, known, o, budget, prior, i, explore=False) for i, o in enumerate(orders)],
        "cold_": [bandit(table, cold, o, budget, replace(prior, spread=0.3), i) for i, o in enumerate(orders)],
        "random_": [random_choice(table, o, budget, i) for i, o in enumerate(orders)],
        "rules_by_complexity_": [by_complexity(table, o, budget) for o in orders],
    }
    rules = best - float(table.reward[rest, 0].mean())
    found = {"usd_per_question": budget, "oracle_reward": best, "rules_regret": rules, "prior_spread": prior.spread}
    for name, of in runs.items():
        mean, spent = float(np.mean([r.reward for r in of])), float(np.mean([r.usd for r in of]))
        found |= {
            f"{name}reward": mean,
            f"{name}regret_vs_oracle": best - mean,
            f"{name}regret_share_of_rules": (best - mean) / rules,
            f"{name}cost_over_budget_max": max(r.over for r in of),
        }
        if not name:
            found |= {
                "regret_vs_best_fixed": best_fixed - mean,
                "reward_share_of_oracle": mean / best,
                "reward_share_of_best_fixed": mean / best_fixed,
                "cost_share_of_best_fixed": spent / best_fixed_usd,
            }
    return found


def _orders(rest: Index) -> list[Index]:
    return [np.random.default_rng(1000 + seed).permutation(rest) for seed in range(SEEDS)]


def unbounded(table: Table, known: Known, halves: Known, past: Index, rest: Index) -> dict[str, float]:
    """Without a budget: the bandit beside the explorers of Vowpal Wabbit, which gets the same features."""
    orders, prior = _orders(rest), chosen_prior(table, halves, past, 1.0)
    runs = [bandit(table, known, o, None, prior, i) for i, o in enumerate(orders)]
    found = {"reward": float(np.mean([r.reward for r in runs])), "usd": float(np.mean([r.usd for r in runs]))}
    stream = {
        "context": known.context.tolist(), "quality": known.quality.tolist(), "reward": table.reward.tolist(),
        "usd": table.usd.tolist(), "orders": [o.tolist() for o in orders],
    }  # fmt: skip
    command = [str(python_of("vowpal-wabbit", learning_peers.PACKAGES)), str(Path(learning_peers.__file__))]
    told = subprocess.run(command, input=json.dumps(stream), capture_output=True, text=True, check=True)  # noqa: S603
    for name, (reward, usd) in json.loads(told.stdout).items():
        found |= {f"vw_{name}_reward": reward, f"vw_{name}_usd": usd}
    return found


def measure(table: Table, views: Views) -> dict[str, Any]:
    """All figures."""
    past = np.flatnonzero([is_past(p) for p in table.prompts])
    rest = np.setdiff1d(np.arange(len(table.prompts)), past)
    known, cold = knowledge(table, views, past), knowledge(table, views, past, warm=False)
    halves = knowledge(table, views, past[::2])
    named: dict[str, dict[str, float]] = {}
    for share in (*BUDGETS, TIGHT):
        label = "tight" if share == TIGHT else f"budget_{share:g}"
        found = named[label] = within_budget(table, known, cold, halves, past, rest, share)
        print(f"{label}: reward {found['reward']:.4f}, oracle {found['oracle_reward']:.4f}", flush=True)
    named["unbounded"] = unbounded(table, known, halves, past, rest)
    worst = _worst([named[f"budget_{share:g}"] for share in BUDGETS])
    return {"n": len(rest), "past": len(past), "seeds": SEEDS, "models": len(table.models), **worst, **named}


def _worst(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The worst figure of several budgets: the highest regret, cost and overspending, the lowest reward."""
    lowest = ("reward_share_of_oracle", "reward_share_of_best_fixed")
    keys = [k for k in found[0] if k.endswith(("_of_rules", "_of_best_fixed", "_oracle", "best_fixed", "budget_max"))]
    return {k: (min if k in lowest else max)(f[k] for f in found) for k in keys}


def main() -> None:
    table = Table.read(DATA)
    layers = embedded(table.prompts, _ENCODER, sentence_encoder, cache_dir(), print)
    views = Views(layers, features(table.prompts).astype(np.float32))
    write("learning", measure(table, views))


if __name__ == "__main__":
    main()
