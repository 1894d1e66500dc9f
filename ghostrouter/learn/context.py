"""What the bandit knows of a request: a few numbers that every process has at a decision, without an encoder."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEATURES_BESIDES_MODELS = 3


def context(qualities: Sequence[float], complexity: float, tokens: int) -> npt.NDArray[np.float64]:
    """The features of a request: 1, the learned router's probability for each model, complexity, and length.

    `qualities` are in the order of the models, 0.5 where nothing is known. `complexity` is in [0, 1], `tokens` those of
    the prompt. The shape is (models + 3,), and each feature is about as large as 1.
    """
    mean = sum(qualities) / max(1, len(qualities))
    return np.array([1.0, *((q - mean) * 5 for q in qualities), complexity, math.log1p(tokens) / 10])
