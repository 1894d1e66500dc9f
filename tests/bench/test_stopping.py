"""The learned stopping policy: values by hand, and a signal that tells everything."""

import numpy as np
import pytest

from bench.optimal_stopping import Bools, Episode, learned, values
from bench.stopping import episode, play, play_real, real_episode
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

TOKENS = 6


def trace(*spans: tuple[int, int], wrong: bool = False) -> Trace:
    """Two steps of three tokens each."""
    signals = np.zeros((TOKENS, len(COLUMNS)), np.float32)
    signals[[0, 3], COLUMNS.index("step_start")] = 1
    return Trace("m", "g", signals, spans, wrong)


def at(*stops: int) -> Bools:
    return np.isin(np.arange(TOKENS), stops)


def test_values_follow_what_the_policy_does_later() -> None:
    stopping, going_on = values(episode(trace((4, 5)), worth=10.0), at())
    assert stopping.tolist() == [-3, -2, -1, 7, 8, 9]
    assert going_on.tolist() == [0, 0, 0, 0, 0, 10]
    stopping, going_on = values(episode(trace((4, 5)), worth=10.0), at(4))
    assert stopping.tolist() == [5, 6, 7, 7, 8, 9]
    assert going_on.tolist() == [8, 8, 8, 8, 0, 10]


@pytest.mark.parametrize(
    ("stops", "most", "right", "large"),
    [((), 12, 0, 0), ((4,), 12, 1, 2), ((0, 4), 12, 1, 5), ((0, 4), 2, 1, 6), ((5,), 12, 0, 0), ((4,), 0, 0, 0)],
)
def test_a_wrong_token_loses_unless_it_is_stopped_before(
    stops: tuple[int, ...], most: int, right: int, large: int
) -> None:
    assert play(trace((4, 5)), at(*stops), most) == (right, large)


def test_an_answer_that_nobody_knows_where_it_fails_is_rescued_less_often_later() -> None:
    early, late = (play_real(trace(wrong=True), at(i)).right for i in (0, 4))
    assert (early, late < 0.3) == (1.0, True)
    assert play_real(trace(wrong=True), at()) == (0, 0)
    assert play_real(trace(), at(2)) == (1, 4)
    stopping, going_on = values(real_episode(trace(wrong=True), 10.0), at())
    assert (stopping[0], going_on[0]) == (4, 0)  # it is rescued for six tokens


def test_a_signal_that_tells_everything_is_learned() -> None:
    rng = np.random.default_rng(1)
    episodes, rows = list[Episode](), []
    for _ in range(200):
        lost = rng.random(TOKENS) < 0.2
        ends = np.arange(1, TOKENS + 1)
        episodes.append(Episode(np.full(TOKENS, -1.0), ends, lost, 10.0))
        rows.append(np.stack([lost, rng.random(TOKENS)], 1))
    x = np.concatenate(rows).astype(np.float32)
    policy = learned(x, episodes, [e.lost & False for e in episodes], seed=0)
    assert (policy(x) == (x[:, 0] > 0)).all()
