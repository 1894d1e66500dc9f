"""The learned detector with a memory: a small gated recurrent unit over the tokens' own features."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.rolling import instant


@dataclass(frozen=True, slots=True)
class GruWeights:
    """As torch names them (torch.nn.GRU, one layer): gates in the order reset, update, new.

    `mean` and `scale` standardise the features; `head` and `head_bias` make log-odds of the hidden state and the features.
    """

    mean: Floats
    scale: Floats
    weight_ih: Floats
    weight_hh: Floats
    bias_ih: Floats
    bias_hh: Floats
    head: Floats
    head_bias: float


class Gru:
    """Score: the probability that the token is wrong. The state is the hidden state, zero at the beginning."""

    def __init__(self, weights: GruWeights) -> None:
        self._w = weights
        self.width = weights.weight_hh.shape[1]

    def step(self, state: State, tick: Tick) -> Floats:
        w = self._w
        features = (instant(tick) - w.mean) / w.scale
        inputs = features @ w.weight_ih.T + w.bias_ih
        recurrent = state @ w.weight_hh.T + w.bias_hh
        reset_in, update_in, new_in = np.split(inputs, 3, axis=1)
        reset_re, update_re, new_re = np.split(recurrent, 3, axis=1)
        reset, update = _logistic(reset_in + reset_re), _logistic(update_in + update_re)
        new = np.tanh(new_in + reset * new_re)
        state[:] = (1 - update) * new + update * state
        return _logistic(np.concatenate([state, features], 1) @ w.head + w.head_bias).astype(np.float32)


def _logistic(x: State) -> State:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))
