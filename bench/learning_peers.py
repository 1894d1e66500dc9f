"""Vowpal Wabbit on the stream of the bench `learning`, without a budget. It runs in an environment of its own.

python bench/learning_peers.py < JSON of the stream > JSON of the mean reward and cost by algorithm. It imports nothing
of this repository, because that environment has nothing else.
"""

import json
import random
import sys
from collections.abc import Sequence
from typing import Any

PACKAGES = ("vowpalwabbit==9.11.9",)
ALGORITHMS = {
    "squarecb": "--squarecb --gamma_scale 100",
    "regcb": "--regcbopt --mellowness 0.01",
    "cover": "--cover 5",
    "epsilon": "--epsilon 0.02",
}


def run(options: str, stream: dict[str, Any], order: Sequence[int], seed: int) -> tuple[float, float]:
    """The mean reward and cost of one algorithm over one order of the questions."""
    from vowpalwabbit import Workspace

    rng, reward, usd = random.Random(seed), 0.0, 0.0
    learner = Workspace(f"--cb_explore_adf {options} -q cm --quiet --random_seed {seed + 1}", enable_logging=False)
    try:
        for row in order:
            example = [_shared(stream["context"][row]), *map(_action, enumerate(stream["quality"][row]))]
            shares = learner.predict(example)
            chosen = rng.choices(range(len(shares)), shares)[0]
            found = stream["reward"][row][chosen]
            reward, usd = reward + found, usd + stream["usd"][row][chosen]
            example[chosen + 1] = f"0:{1 - found}:{shares[chosen]} {example[chosen + 1]}"
            learner.learn(example)
    finally:
        learner.finish()
    return reward / len(order), usd / len(order)


def _shared(context: Sequence[float]) -> str:
    return "shared |c " + " ".join(f"x{i}:{value}" for i, value in enumerate(context))


def _action(numbered: tuple[int, float]) -> str:
    number, quality = numbered
    return f"|m is{number}:1 quality:{quality} q{number}:{quality}"


def main() -> None:
    stream = json.load(sys.stdin)
    found = {}
    for name, options in ALGORITHMS.items():
        runs = [run(options, stream, order, seed) for seed, order in enumerate(stream["orders"])]
        found[name] = [sum(r[i] for r in runs) / len(runs) for i in (0, 1)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
