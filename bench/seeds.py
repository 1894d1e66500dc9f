"""Runs a bench with several draws of questions, in one service: SEED=1 SEEDS=5 draws with 1, 2, 3, 4 and 5."""

import os
import statistics
from collections.abc import Sequence
from typing import Any

SEED = int(os.environ.get("SEED", "1"))
SEEDS = range(SEED, SEED + int(os.environ.get("SEEDS", "1")))


def summarised(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One run unchanged. For several runs: the median of each figure, its range (`<figure>_range`), and `runs`.

    What is not a figure (such as the wrong answers) is in `runs` only.
    """
    if len(runs) == 1:
        return runs[0]
    figures = [k for k, v in runs[0].items() if isinstance(v, int | float) and k not in ("seed", "n")]
    out: dict[str, Any] = {}
    for name in figures:
        values = [run[name] for run in runs]
        out[name] = statistics.median(values)
        out[f"{name}_range"] = [min(values), max(values)]
    return out | {"n": runs[0]["n"], "seeds": [run["seed"] for run in runs], "runs": list(runs)}
