"""Running statistics of a segment's signals: what a whole answer looks like, at every token of it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.signals.kind import CAPITAL, DIGIT, PUNCTUATION, WORD

_GROUPS: Final = ("all", "number", "name", "word", "mark", "step")
_SUMS: Final = ("count", "sum", "squares", "below_half", "below_two", "below_top")
_GROUP_STATE: Final = (*_SUMS, "least", "last")
_GROUP_NAMES: Final = (*_GROUP_STATE, "mean", "deviation")
_RATES: Final = (0.3, 0.1, 0.03)
_LAGS: Final = 4
_FAR_NATS = 20.0

_SINGLE: Final = (
    "in_step_sum",
    "in_step_count",
    "in_step_least",
    "run_sum",
    "run_count",
    "run_least",
    "run_least_of_all",
    *(f"recent_{rate}" for rate in _RATES),
    *(f"recent_{rate}_least" for rate in _RATES),
    "logprob",
    *(f"logprob_{k}_before" for k in range(1, _LAGS)),
    "entropy_sum",
    "entropy_most",
    "entropy_recent",
    "entropy_number_sum",
    "entropy_number_most",
    "margin_sum",
    "margin_least",
    "margin_recent",
)
_NOW: Final = (
    "logprob_to_mean",
    "entropy",
    "entropy_mean",
    "entropy_number_mean",
    "margin",
    "margin_mean",
    "in_step_mean",
    "step_share",
)
NAMES: Final = (*(f"{g}_{n}" for g in _GROUPS for n in _GROUP_NAMES), *_SINGLE, *_NOW)

_WIDE = len(_GROUPS) * len(_GROUP_STATE)
_AT = {name: _WIDE + i for i, name in enumerate(_SINGLE)}
_MEANS = slice(_AT[f"recent_{_RATES[0]}"], _AT[f"recent_{_RATES[0]}_least"])
_LEASTS = slice(_MEANS.stop, _MEANS.stop + len(_RATES))
_BEFORE = slice(_LEASTS.stop, _LEASTS.stop + _LAGS)


@dataclass(frozen=True, slots=True)
class RunningFeatures:
    """Features of a segment up to a token; no later token is used.

    For each group of tokens (all, numbers, names, other words, marks, the first of a step) there are the count, sum,
    sum of squares, lowest, last, mean and root mean square of the log-probability of the sampled token, and how many
    are below -0.5, below -2, and not the likeliest token. Then come the running step, the running number (its digits
    may be several tokens), moving averages, and the sums and extremes of entropy and margin. The state holds the same
    but for what follows from it.
    """

    width: int = _WIDE + len(_SINGLE) + 1

    def features(self, state: State, tick: Tick) -> Floats:
        """The features, of shape (segments, len(NAMES)); updates `state`."""
        logprob = np.maximum(np.minimum(tick.logprob, 0.0), -_FAR_NATS).astype(np.float64)
        groups = state[:, :_WIDE].reshape(len(state), len(_GROUPS), len(_GROUP_STATE))
        begun = state[:, -1] > 0
        mean_before = groups[:, 0, 1] / np.maximum(groups[:, 0, 0], 1)
        _add(groups, _members(tick, begun), logprob, tick)
        state[:, :_WIDE] = groups.reshape(len(state), _WIDE)
        self._go_on(state, tick, logprob, begun)
        state[:, -1] = 1
        return _written(state, groups, tick, logprob, mean_before)

    @staticmethod
    def _go_on(state: State, tick: Tick, logprob: npt.NDArray[np.float64], begun: npt.NDArray[np.bool_]) -> None:
        """Update what is not about groups."""

        def column(name: str) -> State:
            return state[:, _AT[name]]

        is_number = tick.kind == DIGIT
        for name, goes_on in (("in_step", tick.step_start == 0), ("run", is_number & (column("run_count") > 0))):
            for part in ("sum", "count", "least"):
                column(f"{name}_{part}")[:] *= goes_on
        is_in = {"in_step": np.ones(len(state)), "run": is_number.astype(np.float64)}
        for name, member in is_in.items():
            column(f"{name}_sum")[:] += member * logprob
            column(f"{name}_count")[:] += member
            column(f"{name}_least")[:] = np.minimum(column(f"{name}_least"), member * logprob)
        column("run_least_of_all")[:] = np.minimum(column("run_least_of_all"), column("run_sum"))
        # A moving average begins with the first value, not with zero.
        rates = np.where(begun[:, None], np.array(_RATES), 1.0)
        state[:, _MEANS] += rates * (logprob[:, None] - state[:, _MEANS])
        np.minimum(state[:, _LEASTS], state[:, _MEANS], out=state[:, _LEASTS])
        state[:, _BEFORE.start + 1 : _BEFORE.stop] = state[:, _BEFORE.start : _BEFORE.stop - 1].copy()
        state[:, _BEFORE.start] = logprob
        entropy, margin = tick.entropy_nats, np.minimum(tick.margin, _FAR_NATS)
        column("entropy_sum")[:] += entropy
        column("entropy_number_sum")[:] += is_number * entropy
        np.maximum(column("entropy_most"), entropy, out=column("entropy_most"))
        np.maximum(column("entropy_number_most"), is_number * entropy, out=column("entropy_number_most"))
        column("margin_sum")[:] += margin
        column("margin_least")[:] = np.where(begun, np.minimum(column("margin_least"), margin), margin)
        rate = np.where(begun, _RATES[0], 1.0)
        column("entropy_recent")[:] += rate * (entropy - column("entropy_recent"))
        column("margin_recent")[:] += rate * (margin - column("margin_recent"))


def _members(tick: Tick, begun: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which groups the token of each segment belongs to, of shape (segments, groups)."""
    kind = tick.kind
    steps = (tick.step_start > 0) | ~begun
    every = np.ones(len(kind), bool)
    return np.stack((every, kind == DIGIT, kind == CAPITAL, kind == WORD, kind == PUNCTUATION, steps), axis=1)


def _add(groups: State, members: npt.NDArray[np.bool_], logprob: npt.NDArray[np.float64], tick: Tick) -> None:
    """Add a token to the groups that it belongs to."""
    below_top = logprob < tick.top_logprob - 1e-3
    terms = (np.ones_like(logprob), logprob, logprob**2, logprob < -0.5, logprob < -2.0, below_top)
    one = np.stack(terms, axis=1).astype(np.float64)
    groups[:, :, : len(_SUMS)] += members[:, :, None] * one[:, None, :]
    least, last = groups[:, :, -2], groups[:, :, -1]
    np.minimum(least, members * logprob[:, None], out=least)
    last[:] = np.where(members, logprob[:, None], last)


def _written(
    state: State, groups: State, tick: Tick, logprob: npt.NDArray[np.float64], mean_before: npt.NDArray[np.float64]
) -> Floats:
    """The features, from a state that has taken in the token."""
    out = np.empty((len(state), len(NAMES)), np.float32)
    wide = out[:, : len(_GROUPS) * len(_GROUP_NAMES)].reshape(len(state), len(_GROUPS), len(_GROUP_NAMES))
    count = np.maximum(groups[:, :, 0], 1)
    wide[:, :, : len(_GROUP_STATE)] = groups
    wide[:, :, -2] = groups[:, :, 1] / count
    wide[:, :, -1] = np.sqrt(groups[:, :, 2] / count)
    out[:, : wide.shape[1] * wide.shape[2]] = wide.reshape(len(state), -1)
    begin = wide.shape[1] * wide.shape[2]
    out[:, begin : begin + len(_SINGLE)] = state[:, _WIDE : _WIDE + len(_SINGLE)]
    tokens, numbers = count[:, 0], count[:, 1]
    now = (
        logprob - mean_before,
        tick.entropy_nats,
        state[:, _AT["entropy_sum"]] / tokens,
        state[:, _AT["entropy_number_sum"]] / numbers,
        np.minimum(tick.margin, _FAR_NATS),
        state[:, _AT["margin_sum"]] / tokens,
        state[:, _AT["in_step_sum"]] / state[:, _AT["in_step_count"]],
        groups[:, -1, 0] / tokens,
    )
    out[:, begin + len(_SINGLE) :] = np.stack(now, axis=1)
    return out
