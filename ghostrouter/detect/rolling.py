"""The features of the learned detector: the signals of a token and of the tokens before it."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.least_confidence import least_confidence
from ghostrouter.signals.kind import KINDS

_LAGS = 4
_FAR_NATS = 12.0
_FORGET = 0.2

_PLAIN = ("entropy", "least_confidence", "margin", "second_gap", "second", "third", "rest", "step_start")
# Zero in training if log-probabilities are known, because serving does not compute them then.
TEXT = ("repetition", "novelty")
INSTANT = (*_PLAIN, *(f"kind_{k}" for k in range(KINDS)))
NAMES = (
    *INSTANT,
    "kind_before",
    *(f"entropy_{k}_before" for k in range(1, _LAGS + 1)),
    *(f"not_top_{k}_before" for k in range(1, _LAGS + 1)),
    "entropy_mean",
    "entropy_max",
    "since_step",
    *TEXT,
)


def instant(tick: Tick) -> Floats:
    """The features of the token alone, of shape (segments, len(INSTANT)).

    `second`, `third` and `rest` are the probabilities of the second token, of the third, and of all other tokens.
    """
    top = np.minimum(tick.top_logprob, 0.0)
    second = np.exp(top - tick.margin)
    third = second * np.exp(-tick.second_gap)
    rest = np.maximum(0.0, -np.expm1(top) - second - third)
    kinds = tick.kind[:, None] == np.arange(KINDS)
    columns = (
        tick.entropy_nats,
        least_confidence(top),
        np.minimum(tick.margin, _FAR_NATS),
        np.minimum(tick.second_gap, _FAR_NATS),
        second,
        third,
        rest,
        tick.step_start,
    )
    return np.asarray(np.concatenate([np.stack(columns, 1), kinds], 1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class RollingFeatures:
    """The features of a token from its signals and those of earlier tokens; no later token is used.

    The absolute position is not among them, because a segment may begin anywhere in an answer. The state holds, in this
    order: the last entropies and the last 1 - p of the likeliest token (newest first), the running mean and the maximum
    of the entropy, the number of tokens since the step began, and the kind of the token before.
    """

    width: int = 2 * _LAGS + 4

    def features(self, state: State, tick: Tick) -> Floats:
        """The features, of shape (segments, len(NAMES)); updates `state`."""
        entropies, not_top = state[:, :_LAGS], state[:, _LAGS : 2 * _LAGS]
        mean, most, since, before = (state[:, 2 * _LAGS + i] for i in range(4))
        since *= tick.step_start == 0
        past = np.concatenate([before[:, None], state[:, : 2 * _LAGS + 2], since[:, None]], 1)
        text = np.stack([tick.repetition, tick.novelty], 1)
        out: Floats = np.concatenate([instant(tick), past.astype(np.float32), text.astype(np.float32)], 1)
        entropies[:, 1:] = entropies[:, :-1].copy()
        entropies[:, 0] = tick.entropy_nats
        not_top[:, 1:] = not_top[:, :-1].copy()
        not_top[:, 0] = -np.expm1(np.minimum(tick.top_logprob, 0.0))
        mean += _FORGET * (tick.entropy_nats - mean)
        np.maximum(most, tick.entropy_nats, out=most)
        since += 1
        before[:] = tick.kind
        return out
