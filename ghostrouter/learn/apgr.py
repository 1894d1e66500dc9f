"""How good a router between a weak and a strong model is, on questions where both were asked (RouteLLM, 2406.18665)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def curve(score: Array, weak: Array, strong: Array) -> Array:
    """Recovered share of the gap when the 0, 1, ... n questions with the highest score go to the strong model.

    Among equal scores every order is as likely: each of them counts what they gain on average.
    """
    _, block = np.unique(-score, return_inverse=True)
    sizes = np.bincount(block)
    mean_gain = np.bincount(block, weights=strong - weak) / sizes
    gained = np.concatenate([[0.0], np.cumsum(np.repeat(mean_gain, sizes))])
    gap = strong.sum() - weak.sum()
    return np.asarray(gained / gap) if gap else np.zeros(len(score) + 1)


def apgr(score: Array, weak: Array, strong: Array) -> float:
    """The area under that curve over the share of strong calls; 0.5 for a router that draws lots."""
    points = curve(score, weak, strong)
    return float(np.trapezoid(points, dx=1 / max(1, len(score))))


def cpt(score: Array, weak: Array, strong: Array, share: float) -> float:
    """The smallest share of strong calls that recovers `share` of the gap."""
    points = curve(score, weak, strong)
    reached = np.flatnonzero(points >= share - 1e-12)
    return float(reached[0] / max(1, len(score))) if len(reached) else 1.0


def interval(
    measure: Callable[[npt.NDArray[np.intp]], float], groups: npt.NDArray[np.intp], draws: int, seed: int = 0
) -> tuple[float, float]:
    """The 95% bootstrap interval of a measure; whole groups (equal questions) are drawn together."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    values = []
    for _ in range(draws):
        drawn = rng.integers(0, len(members), len(members))
        values.append(measure(np.concatenate([members[i] for i in drawn])))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
