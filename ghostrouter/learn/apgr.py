"""Figures of a router between a weak and a strong model, on questions that both answered (RouteLLM, arXiv
2406.18665).
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def curve(score: Array, weak: Array, strong: Array) -> Array:
    """The share of the gap that is recovered if the 0, 1, ...

    n questions with the highest scores go to the strong model. All arguments have the shape (questions,), the result
    (questions + 1,). Questions with equal scores may come in any order; each counts the mean gain of all of them.
    """
    _, block = np.unique(-score, return_inverse=True)
    sizes = np.bincount(block)
    mean_gain = np.bincount(block, weights=strong - weak) / sizes
    gained = np.concatenate([[0.0], np.cumsum(np.repeat(mean_gain, sizes))])
    gap = strong.sum() - weak.sum()
    return np.asarray(gained / gap) if gap else np.zeros(len(score) + 1)


def apgr(score: Array, weak: Array, strong: Array) -> float:
    """The area under `curve` over the share of strong calls. A random router has 0.5."""
    points = curve(score, weak, strong)
    return float(np.trapezoid(points, dx=1 / max(1, len(score))))


def cpt(score: Array, weak: Array, strong: Array, share: float) -> float:
    """The smallest share of strong calls that recovers `share` of the gap; 1 if none does."""
    points = curve(score, weak, strong)
    reached = np.flatnonzero(points >= share - 1e-12)
    return float(reached[0] / max(1, len(score))) if len(reached) else 1.0
