"""When should a model stop writing and hand over? Learned as an optimal stopping problem, by fitted value iteration.

At each token there are two actions: stop (another model takes over) or go on. A trace tells what each of them leads to
at each of its tokens. So the values of both under a given policy are sums over the trace, from its end backwards. A
regression learns their difference from what is known at the token, as Longstaff and Schwartz do (Valuing American
options by simulation, 2001). The policy that follows from it is valued again, and so on.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from ghostrouter.detect.training import TREES

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]

ITERATIONS = 3


class Episode(NamedTuple):
    """What the actions at each token of a trace lead to. All arrays have the shape (tokens,).

    Stopping at token t earns `stopped[t]`, and the episode goes on at token `resumed[t]`, or ends there if that is the
    number of tokens. Going on at token t ends the episode with nothing if `lost[t]`. The end earns `finished`.
    """

    stopped: Array
    resumed: Rows
    lost: Bools
    finished: float


def values(episode: Episode, stops: Bools) -> tuple[Array, Array]:
    """The value of stopping and of going on at each token, if the policy `stops` decides at all later tokens."""
    count = len(stops)
    after = np.empty(count + 1)
    after[count] = episode.finished
    stopping, going_on = np.empty(count), np.empty(count)
    for t in range(count - 1, -1, -1):
        stopping[t] = episode.stopped[t] + after[episode.resumed[t]]
        going_on[t] = 0.0 if episode.lost[t] else after[t + 1]
        after[t] = stopping[t] if stops[t] else going_on[t]
    return stopping, going_on


def learned(
    x: npt.NDArray[np.float32], episodes: Sequence[Episode], first: Sequence[Bools], seed: int
) -> Callable[[npt.NDArray[np.float32]], Bools]:
    """A policy: features of shape (tokens, features) to where it stops, of shape (tokens,).

    `x` has the features of all tokens of all episodes. Iteration begins with the policy `first`.
    """
    cuts = np.cumsum([len(e.lost) for e in episodes])[:-1]
    policy = list(first)
    for _ in range(ITERATIONS):
        both = [values(e, stops) for e, stops in zip(episodes, policy, strict=True)]
        gained = np.concatenate([stopping - going_on for stopping, going_on in both])
        model = HistGradientBoostingRegressor(random_state=seed, early_stopping=False, **TREES).fit(x, gained)
        policy = np.split(model.predict(x) > 0, cuts)
    return lambda features: np.asarray(model.predict(features) > 0)
