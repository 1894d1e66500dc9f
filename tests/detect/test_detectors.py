from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.detect.calibration import Calibration, Risk
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector, Tick, scan
from ghostrouter.detect.first_of_step import FirstOfStep
from ghostrouter.detect.hazard import MOST_LEAVES, Forest, Hazard, Tree, Weights
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
from tests.shipped import MODELS

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


def signals(*entropies: float) -> npt.NDArray[np.float32]:
    """Signals of which only the entropy is set."""
    out = np.zeros((len(entropies), len(COLUMNS)), dtype=np.float32)
    out[:, 0] = entropies
    return out


def scores_of(detector: Detector, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The scores of one segment."""
    return scan(detector, fresh(detector, 1), values, [len(values)])


def fresh(detector: Detector, segments: int) -> npt.NDArray[np.float64]:
    return np.zeros((segments, detector.width))


def test_ticks_have_the_columns_of_a_batch() -> None:
    assert Tick._fields == COLUMNS


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
@given(values=entropies, rollback_table=st.lists(st.integers(0, 30), max_size=3))
def test_chunks_give_the_scores_of_the_whole(
    detector: Detector, values: list[float], rollback_table: list[int]
) -> None:
    whole = scores_of(detector, signals(*values))
    state = fresh(detector, 1)
    edges = sorted({0, len(values), *(min(c, len(values)) for c in rollback_table)})
    parts = [scan(detector, state, signals(*values[a:b]), [b - a]) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
@given(a=entropies, b=entropies)
def test_segments_do_not_touch_each_other(detector: Detector, a: list[float], b: list[float]) -> None:
    together = scan(detector, fresh(detector, 3), signals(*a, *b), [len(a), 0, len(b)])
    alone = [scores_of(detector, signals(*values)) for values in (a, b)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


@given(entropies)
def test_slope_is_that_of_the_least_squares_line(values: list[float]) -> None:
    scores = scores_of(Slope(5), signals(*values))
    for t, score in enumerate(scores):
        window = values[max(0, t - 4) : t + 1]
        expected = np.polyfit(range(len(window)), window, 1)[0] if len(window) > 1 else 0.0
        assert score == pytest.approx(expected, abs=1e-4)


def test_cusum_adds_up_the_excess_and_never_falls_below_zero() -> None:
    scores = scores_of(Cusum(1.0), signals(0.0, 1.5, 2.0, 0.0, 0.0, 3.0))
    np.testing.assert_allclose(scores, [0.0, 0.5, 1.5, 0.5, 0.0, 2.0])


def test_risk_is_the_logistic_of_the_weighted_scores() -> None:
    risks = scores_of(Risk(calibration()), signals(0.0, 1.0, 2.0))
    np.testing.assert_allclose(risks, 1 / (1 + np.exp([4.0, 0.0, -4.0])), rtol=1e-5)


def test_page_hinkley_is_quiet_until_the_mean_has_risen() -> None:
    scores = scores_of(PageHinkley(0.1), signals(0.2, 0.2, 0.2, 2.0, 2.0))
    assert scores[:3] == pytest.approx([0, 0, 0], abs=1e-6)
    assert 0 < scores[3] < scores[4]


def test_window_is_the_mean_of_what_there_is() -> None:
    scores = scores_of(WindowEntropy(2), signals(1.0, 3.0, 5.0))
    np.testing.assert_allclose(scores, [1.0, 2.0, 4.0])


def test_first_of_step_holds_until_the_next_step() -> None:
    values = signals(1.0, 3.0, 5.0, 2.0)
    values[2, COLUMNS.index("step_start")] = 1
    np.testing.assert_allclose(scores_of(FirstOfStep(), values), [1.0, 1.0, 5.0, 5.0])


def test_text_only_looks_at_what_nobody_has_mentioned_and_at_repetition() -> None:
    values = signals(0.0, 0.0, 0.0, 0.0)
    values[:, COLUMNS.index("novelty")] = [0, 2, 2, 0]
    values[:, COLUMNS.index("repetition")] = [0, 0, 0, 0.75]
    values[1, COLUMNS.index("step_start")] = 1
    np.testing.assert_allclose(scores_of(TextOnly(), values), [0, 1.1, 0.5, 0.75], rtol=1e-6)


def test_a_forest_adds_its_trees_up() -> None:
    risks = scores_of(Hazard(Weights(trees=(STUMP, STUMP))), signals(2.0, 0.5, 0.0))
    np.testing.assert_allclose(risks, 1 / (1 + np.exp([4.0, -4.0, 4.0])), rtol=1e-5)


def walked(tree: Tree, row: npt.NDArray[np.float32]) -> float:
    """The value of the leaf that a row reaches, node by node."""
    node = 0
    while tree.feature[node] >= 0:
        left = float(row[tree.feature[node]]) <= tree.threshold[node]
        node = (tree.left if left else tree.right)[node]
    return tree.value[node]


def test_all_nodes_at_once_find_the_leaves_that_a_walk_finds() -> None:
    trees = Calibration.load(MODELS / "ghost-small" / "calibration.json").hazard.trees
    thresholds = np.array([x for t in trees for x in t.threshold])
    rng = np.random.default_rng(1)
    rows = rng.choice(thresholds, (200, len(NAMES))).astype(np.float32)  # many rows are exactly at a threshold
    rows[0] = np.nan
    values = np.array([[walked(t, row) for t in trees] for row in rows])
    np.testing.assert_array_equal(Forest(trees)(rows), values.sum(1))
    np.testing.assert_array_equal(Forest(trees[:1])(rows), values[:, 0])


def test_a_tree_that_is_a_single_leaf_has_its_value() -> None:
    leaf = Tree(feature=(-1,), threshold=(0.0,), left=(0,), right=(0,), value=(3.0,))
    np.testing.assert_array_equal(Forest([leaf])(np.zeros((2, len(NAMES)), np.float32)), [3.0, 3.0])


@pytest.mark.parametrize(
    "changes",
    [{"left": (1, 0)}, {"left": (0, 0, 0)}, {"right": (3, 0, 0)}],
)
def test_what_is_no_tree_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"tree|node"):
        Tree.model_validate({**STUMP.model_dump(), **changes})


def test_a_tree_that_asks_for_a_feature_beyond_the_last_is_refused() -> None:
    tree = Tree.model_validate({**STUMP.model_dump(), "feature": (len(NAMES), -1, -1)})
    with pytest.raises(ValueError, match=f"tree 0 asks for feature {len(NAMES)} of {len(NAMES)}"):
        Weights(bias=0.0, slope=1.0, trees=(tree,))


def test_a_tree_with_too_many_leaves_is_refused() -> None:
    inner = MOST_LEAVES
    nodes = 2 * inner + 1  # a chain: the right child of each inner node is the next one
    feature = [0 if i % 2 == 0 and i < 2 * inner else -1 for i in range(nodes)]
    left = [i + 1 if f == 0 else 0 for i, f in enumerate(feature)]
    right = [i + 2 if f == 0 else 0 for i, f in enumerate(feature)]
    with pytest.raises(ValueError, match="more than 64 leaves"):
        Tree(feature=feature, threshold=[0.0] * nodes, left=left, right=right, value=[0.0] * nodes)
