from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.detect.calibration import Risk
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector, Tick, scan
from ghostrouter.detect.first_of_step import FirstOfStep
from ghostrouter.detect.hazard import Hazard, Tree, Weights
from ghostrouter.detect.least_confidence import LeastConfidence
from ghostrouter.detect.level import Level
from ghostrouter.detect.margin import Margin
from ghostrouter.detect.page_hinkley import PageHinkley
from ghostrouter.detect.position import Position
from ghostrouter.detect.rolling import NAMES
from ghostrouter.detect.slope import Slope
from ghostrouter.detect.text_only import TextOnly
from ghostrouter.detect.window_entropy import WindowEntropy
from ghostrouter.signals.batch import COLUMNS
from tests.make import calibration

STUMP = Tree(
    feature=(NAMES.index("entropy_1_before"), -1, -1),
    threshold=(1.0, 0.0, 0.0),
    left=(1, 0, 0),
    right=(2, 0, 0),
    value=(0.0, -2.0, 2.0),
)
DETECTORS: list[Detector] = [
    Level(),
    Slope(4),
    Margin(),
    LeastConfidence(),
    FirstOfStep(),
    WindowEntropy(3),
    Cusum(0.3),
    PageHinkley(0.1),
    Position(-1.0),
    TextOnly(),
    Hazard(Weights(trees=(STUMP, STUMP))),
    Risk(calibration()),
]
entropies = st.lists(st.floats(0, 6, width=32), min_size=1, max_size=30)


def signals(*segments: list[float]) -> npt.NDArray[np.float32]:
    """Signals of which only the entropy is set, padded with NaN."""
    out = np.full((len(segments), max(map(len, segments)), len(COLUMNS)), np.nan, dtype=np.float32)
    for i, values in enumerate(segments):
        out[i, : len(values)] = 0.0
        out[i, : len(values), 0] = values
    return out


def fresh(detector: Detector, segments: int) -> npt.NDArray[np.float64]:
    return np.zeros((segments, detector.width))


def test_ticks_have_the_columns_of_a_batch() -> None:
    assert Tick._fields == COLUMNS


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
@given(values=entropies, rollback_table=st.lists(st.integers(0, 30), max_size=3))
def test_chunks_give_the_scores_of_the_whole(
    detector: Detector, values: list[float], rollback_table: list[int]
) -> None:
    whole = scan(detector, fresh(detector, 1), signals(values))
    state = fresh(detector, 1)
    edges = sorted({0, len(values), *(min(c, len(values)) for c in rollback_table)})
    parts = [scan(detector, state, signals(values[a:b])) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
@given(a=entropies, b=entropies)
def test_segments_do_not_touch_each_other(detector: Detector, a: list[float], b: list[float]) -> None:
    together = scan(detector, fresh(detector, 2), signals(a, b))
    for row, values in zip(together, (a, b), strict=True):
        alone = scan(detector, fresh(detector, 1), signals(values))[0]
        np.testing.assert_allclose(row[: len(values)], alone, rtol=1e-5)
        assert np.isnan(row[len(values) :]).all()


@given(entropies)
def test_slope_is_that_of_the_least_squares_line(values: list[float]) -> None:
    scores = scan(Slope(5), fresh(Slope(5), 1), signals(values))[0]
    for t, score in enumerate(scores):
        window = values[max(0, t - 4) : t + 1]
        expected = np.polyfit(range(len(window)), window, 1)[0] if len(window) > 1 else 0.0
        assert score == pytest.approx(expected, abs=1e-4)


def test_cusum_adds_up_the_excess_and_never_falls_below_zero() -> None:
    scores = scan(Cusum(1.0), fresh(Cusum(1.0), 1), signals([0.0, 1.5, 2.0, 0.0, 0.0, 3.0]))[0]
    np.testing.assert_allclose(scores, [0.0, 0.5, 1.5, 0.5, 0.0, 2.0])


def test_risk_is_the_logistic_of_the_weighted_scores() -> None:
    risks = scan(Risk(calibration()), fresh(Risk(calibration()), 1), signals([0.0, 1.0, 2.0]))[0]
    np.testing.assert_allclose(risks, 1 / (1 + np.exp([4.0, 0.0, -4.0])), rtol=1e-5)


def test_page_hinkley_is_quiet_until_the_mean_has_risen() -> None:
    scores = scan(PageHinkley(0.1), np.zeros((1, 4)), signals([0.2, 0.2, 0.2, 2.0, 2.0]))[0]
    assert scores[:3] == pytest.approx([0, 0, 0], abs=1e-6)
    assert 0 < scores[3] < scores[4]


def test_window_is_the_mean_of_what_there_is() -> None:
    scores = scan(WindowEntropy(2), np.zeros((1, 3)), signals([1.0, 3.0, 5.0]))[0]
    np.testing.assert_allclose(scores, [1.0, 2.0, 4.0])


def test_first_of_step_holds_until_the_next_step() -> None:
    values = signals([1.0, 3.0, 5.0, 2.0])
    values[0, 2, COLUMNS.index("step_start")] = 1
    np.testing.assert_allclose(scan(FirstOfStep(), np.zeros((1, 2)), values)[0], [1.0, 1.0, 5.0, 5.0])


def test_text_only_looks_at_what_nobody_has_mentioned_and_at_repetition() -> None:
    values = signals([0.0] * 4)
    values[0, :, COLUMNS.index("novelty")] = [0, 2, 2, 0]
    values[0, :, COLUMNS.index("repetition")] = [0, 0, 0, 0.75]
    values[0, 1, COLUMNS.index("step_start")] = 1
    np.testing.assert_allclose(scan(TextOnly(), np.zeros((1, 1)), values)[0], [0, 1.1, 0.5, 0.75], rtol=1e-6)


def test_a_forest_adds_its_trees_up() -> None:
    risks = scan(Hazard(Weights(trees=(STUMP, STUMP))), np.zeros((1, 12)), signals([2.0, 0.5, 0.0]))[0]
    np.testing.assert_allclose(risks, 1 / (1 + np.exp([4.0, -4.0, 4.0])), rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"left": (1, 0)}, {"feature": (99, -1, -1)}, {"left": (0, 0, 0)}, {"right": (3, 0, 0)}],
)
def test_what_is_no_tree_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"tree|node"):
        Tree.model_validate({**STUMP.model_dump(), **changes})
