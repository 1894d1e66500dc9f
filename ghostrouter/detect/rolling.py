"""What the learned detectors look at: a token's signals, and a little of what came before it."""

from dataclasses import dataclass

import numpy as np

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.doubt import doubt
from ghostrouter.signals.kind import KINDS

_LAGS = 4
_FAR_NATS = 12.0
_FORGET = 0.2

_PLAIN = ("entropy", "doubt", "margin", "second_gap", "second", "third", "rest", "step_start")
# Left out of what is learned where log-probabilities are known: they are not told live then.
TEXT = ("repetition", "novelty")
INSTANT = (*_PLAIN, *(f"kind_{k}" for k in range(KINDS)))
NAMES = (
    *INSTANT,
    "kind_before",
    *(f"entropy_{k}_before" for k in range(1, _LAGS + 1)),
    *(f"mistrust_{k}_before" for k in range(1, _LAGS + 1)),
    "entropy_mean",
    "entropy_most",
    "since_step",
    *TEXT,
)


def instant(tick: Tick) -> Floats:
    """The token's own features, of shape (segments, len(INSTANT)).

    `second`, `third` and `rest` are probabilities: of the runners-up and of everything behind them.
    """
    top = np.minimum(tick.top_logprob, 0.0)
    second = np.exp(top - tick.margin)
    third = second * np.exp(-tick.second_gap)
    rest = np.maximum(0.0, -np.expm1(top) - second - third)
    kinds = tick.kind[:, None] == np.arange(KINDS)
    columns = (
        tick.entropy_nats,
        doubt(top),
        np.minimum(tick.margin, _FAR_NATS),
        np.minimum(tick.second_gap, _FAR_NATS),
        second,
        third,
        rest,
        tick.step_start,
    )
    return np.asarray(np.concatenate([np.stack(columns, 1), kinds], 1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Rolling:
    """Features of every token, causal: the signals of the last tokens, their running mean and maximum.

    No absolute position is among them, because a segment may begin anywhere in an answer. The state holds the last
    entropies and probabilities of not being the likeliest (newest first), mean, maximum, tokens since the step began
    and the kind of the token before.
    """

    width: int = 2 * _LAGS + 4

    def features(self, state: State, tick: Tick) -> Floats:
        """Of shape (segments, len(NAMES)); advances the state."""
        entropies, mistrusts = state[:, :_LAGS], state[:, _LAGS : 2 * _LAGS]
        mean, most, since, before = (state[:, 2 * _LAGS + i] for i in range(4))
        since *= tick.step_start == 0
        past = np.concatenate([before[:, None], state[:, : 2 * _LAGS + 2], since[:, None]], 1)
        text = np.stack([tick.repetition, tick.novelty], 1)
        out: Floats = np.concatenate([instant(tick), past.astype(np.float32), text.astype(np.float32)], 1)
        entropies[:, 1:] = entropies[:, :-1].copy()
        entropies[:, 0] = tick.entropy_nats
        mistrusts[:, 1:] = mistrusts[:, :-1].copy()
        mistrusts[:, 0] = -np.expm1(np.minimum(tick.top_logprob, 0.0))
        mean += _FORGET * (tick.entropy_nats - mean)
        np.maximum(most, tick.entropy_nats, out=most)
        since += 1
        before[:] = tick.kind
        return out
