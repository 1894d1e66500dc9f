import numpy as np
import pytest

from ghostrouter.confidence_intervals import Rows, interval, weighted


def test_groups_are_drawn_whole() -> None:
    """Many rows of a few groups say no more than the groups."""
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 100)

    def mean(rows: Rows) -> float:
        return float(values[rows].mean())

    alike = interval(mean, [str(int(v)) for v in values], 500)
    apart = interval(mean, range(400), 500)
    assert alike.value == apart.value == 1.5
    assert alike.high - alike.low > 5 * (apart.high - apart.low)


def test_a_resample_without_a_figure_is_left_out() -> None:
    assert interval(lambda rows: 1.0 if 0 in rows else float("nan"), ["a", "b"], 50)[1:] == (1.0, 1.0)
    assert np.isnan(interval(lambda _: float("nan"), ["a", "b"], 50).low)


def test_the_bounds_are_quantiles_of_the_figures_of_the_resamples() -> None:
    values = np.random.default_rng(1).normal(size=40)
    seen: list[float] = []

    def mean(rows: Rows) -> float:
        seen.append(float(values[rows].mean()))
        return seen[-1]

    found = interval(mean, range(40), 200, seed=3)
    assert len(seen) == 201
    assert found.value == seen[-1] == pytest.approx(values.mean())
    assert (found.low, found.high) == tuple(np.quantile(seen[:-1], (0.025, 0.975)))


def test_weights_count_the_rows_of_a_resample() -> None:
    assert weighted(lambda w: float(w @ [1, 10, 100]), 3)(np.array([2, 0, 2])) == 201


def test_the_same_seed_gives_the_same_resamples() -> None:
    values = np.arange(10.0)
    first, second = (interval(lambda rows: float(values[rows].mean()), range(10), 50, seed) for seed in (1, 1))
    assert first == second
    assert interval(lambda rows: float(values[rows].mean()), range(10), 50, 2) != first
