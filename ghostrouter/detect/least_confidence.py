"""Least confidence: the probability that the model gives to all tokens but the likeliest."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick

_LEAST = 1e-6


def probability_of_others(top_logprob: Floats) -> Floats:
    """1 - p, where p is the probability of the likeliest token."""
    others: Floats = -np.expm1(np.minimum(top_logprob, 0.0))
    return others


def log_least(others: Floats) -> Floats:
    """The logarithm of the probability of all tokens but the likeliest; at least ln(1e-6)."""
    logarithm: Floats = np.log(np.maximum(others, _LEAST), dtype=np.float32)
    return logarithm


@dataclass(frozen=True, slots=True)
class LeastConfidence:
    """Score: the logarithm of the probability of all tokens but the likeliest."""

    width: int = 0

    def step(self, state: State, tick: Tick) -> Floats:
        return log_least(probability_of_others(tick.top_logprob))
