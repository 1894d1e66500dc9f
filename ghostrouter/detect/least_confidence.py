"""Least confidence: the probability that the model gives to all tokens but the likeliest."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick

_LEAST = 1e-6


def least_confidence(top_logprob: Floats) -> Floats:
    """ln(1 - p), where p is the probability of the likeliest token; at least ln(1e-6)."""
    rest: Floats = np.maximum(-np.expm1(np.minimum(top_logprob, 0.0)), _LEAST)
    return np.log(rest, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class LeastConfidence:
    """Score: the logarithm of the probability of all tokens but the likeliest."""

    width: int = 0

    def step(self, state: State, tick: Tick) -> Floats:
        return least_confidence(tick.top_logprob)
