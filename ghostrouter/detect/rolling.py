"""The features of the learned detector: the signals of a token and of the tokens before it."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.least_confidence import log_least, probability_of_others
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


_BEFORE = NAMES.index("kind_before")
_SINCE = NAMES.index("since_step")
_REPETITION = NAMES.index("repetition")
_NOVELTY = NAMES.index("novelty")
_EVERY_KIND = np.arange(KINDS)


def write_instant(tick: Tick, not_top: Floats, out: Floats) -> None:
    """Write the features of the token alone to `out`, of shape (segments, len(INSTANT)).

    `second`, `third` and `rest` are the probabilities of the second token, of the third, and of all other tokens.
    `not_top` is the probability of all tokens but the likeliest.
    """
    out[:, 0] = tick.entropy_nats
    out[:, 1] = log_least(not_top)
    np.minimum(tick.margin, _FAR_NATS, out=out[:, 2])
    np.minimum(tick.second_gap, _FAR_NATS, out=out[:, 3])
    second = np.exp(np.minimum(tick.top_logprob, 0.0) - tick.margin)
    third = second * np.exp(-tick.second_gap)
    out[:, 4] = second
    out[:, 5] = third
    np.maximum(0.0, not_top - second - third, out=out[:, 6])
    out[:, 7] = tick.step_start
    np.equal(tick.kind[:, None], _EVERY_KIND, out=out[:, len(_PLAIN) : len(INSTANT)], casting="unsafe")


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
        mean, most, since, before = (state[:, 2 * _LAGS + i] for i in range(4))
        since *= tick.step_start == 0
        not_top = probability_of_others(tick.top_logprob)
        out = np.empty((len(state), len(NAMES)), np.float32)
        write_instant(tick, not_top, out)
        out[:, _BEFORE] = before
        out[:, _BEFORE + 1 : _SINCE] = state[:, : 2 * _LAGS + 2]
        out[:, _SINCE] = since
        out[:, _REPETITION] = tick.repetition
        out[:, _NOVELTY] = tick.novelty
        state[:, 1 : 2 * _LAGS] = state[:, : 2 * _LAGS - 1].copy()
        state[:, 0] = tick.entropy_nats
        state[:, _LAGS] = not_top
        mean += _FORGET * (tick.entropy_nats - mean)
        np.maximum(most, tick.entropy_nats, out=most)
        since += 1
        before[:] = tick.kind
        return out
