import numpy as np
import pytest

from bench.curves import Alone, Point, Written, area, area_lost, gap_recovered, swept, switched

N = 40
EVERY = np.arange(N)
RIGHT = (EVERY % 2).astype(float)
SMALL, LARGE = Alone(np.full(N, 10.0), RIGHT), Alone(np.full(N, 30.0), np.ones(N))


def written(share: float, right: float) -> Written:
    """All questions alike: so much by the large model, and the first so many right."""
    return Written(np.full(N, 100 * (1 - share)), np.full(N, 100 * share), (right * N > EVERY).astype(float))


def test_a_point_of_some_questions() -> None:
    setting = Written(np.array([10.0, 0.0, 5.0]), np.array([0.0, 30.0, 5.0]), np.array([0.0, 1.0, 1.0]))
    assert setting.point(np.array([0, 1, 1])) == Point(60 / 70, 2 / 3)


def test_a_sweep_goes_from_small_to_large_and_takes_the_most_doubtful_first() -> None:
    known = swept(1 - RIGHT, SMALL, LARGE, cascade=False)(EVERY)
    assert known[0] == (0.0, 0.5)
    assert known[-1] == (1.0, 1.0)
    assert known[N // 2] == (30 * 20 / (30 * 20 + 10 * 20), 1.0), "all that small gets wrong"
    paid = swept(1 - RIGHT, SMALL, LARGE, cascade=True)(EVERY)
    assert paid[N // 2] == (30 * 20 / (30 * 20 + 10 * 40), 1.0), "small has written every answer first"


def test_the_area_is_that_of_the_best_so_far() -> None:
    assert area([Point(0.5, 0.9), Point(0.6, 0.7)], 0.5, 1.0) == pytest.approx(
        0.5 * (0.5 + 0.9) / 2 + 0.1 * 0.9 + 0.4 * (0.9 + 1.0) / 2
    )


def test_the_gap_is_read_between_the_points() -> None:
    assert gap_recovered([Point(0.2, 0.9)], 0.1, 0.5, 1.0) == pytest.approx(0.4)


def test_a_policy_is_not_ahead_of_itself() -> None:
    ours = switched([written(0.2, 0.9)])
    assert area_lost(ours, ours, SMALL, LARGE) == (0.0, 0.0)


def test_a_clear_lead_is_told_from_none() -> None:
    ours, worse = switched([written(0.1, 1.0)]), switched([written(0.6, 0.7)])
    low, high = area_lost(ours, worse, SMALL, LARGE)
    lead = area(ours(EVERY), 0.5, 1.0) - area(worse(EVERY), 0.5, 1.0)
    assert 0 < low < lead < high
    # The same share, and right answers to other questions: sometimes the one is ahead, sometimes the other.
    one, other = (written(0.1, 1.0)._replace(right=np.where(wrong == EVERY % 4, 0.0, 1.0)) for wrong in (0, 2))
    low, high = area_lost(switched([one]), switched([other]), SMALL, LARGE)
    assert low < 0 < high
