import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import logit
from sklearn.ensemble import HistGradientBoostingClassifier

from ghostrouter.detect import prefix_training as training
from ghostrouter.detect.answer_evaluate import calibration_error, compare
from ghostrouter.detect.detector import scan_answers
from ghostrouter.detect.fit import fit_answers
from ghostrouter.detect.prefix_features import NAMES
from ghostrouter.detect.prefix_model import PrefixModel, PrefixWeights
from ghostrouter.detect.running import NAMES as RUNNING
from ghostrouter.detect.running import RunningFeatures
from ghostrouter.errors import TraceInvalid
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.line import Line
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.trace import Trace

ANSWERS = 120


def answers(seed: int = 0, count: int = ANSWERS, group: str = "") -> list[Trace]:
    """Answers of which nobody knows where they went wrong. Wrong ones are less certain of their numbers."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        wrong = bool(rng.random() < 0.5)
        length = int(rng.integers(4, 12))
        tokens = tuple(f" {rng.integers(9)}" if rng.random() < 0.5 else " so" for _ in range(length))
        certain = [-rng.exponential(0.6 if wrong and t[1:].isdigit() else 0.2) for t in tokens]
        fields = {"prompt": f"{i} and {i + 1}?", "model": "m", "tokens": tokens, "logprobs": certain, "wrong": wrong}
        found.append(as_trace(Line(**fields, group=group or f"{seed} {i // 2}")))
    return found


def test_running_statistics_are_those_of_the_tokens_so_far() -> None:
    some = answers(count=5)
    running = RunningFeatures()
    out = np.empty((sum(len(t.signals) for t in some), len(RUNNING)), np.float32)
    scan_answers(running.features, running.width, [t.signals for t in some], out)
    logprob, kind = COLUMNS.index("logprob"), COLUMNS.index("kind")
    begin = 0
    for trace in some:
        for t in range(len(trace.signals)):
            found = dict(zip(RUNNING, out[begin + t], strict=True))
            x = trace.signals[: t + 1, logprob]
            digits = x[trace.signals[: t + 1, kind] == 1]
            assert found["all_mean"] == pytest.approx(x.mean(), rel=1e-4)
            assert found["all_least"] == pytest.approx(x.min())
            assert found["all_below_half"] == (x < -0.5).sum()
            assert found["number_count"] == len(digits)
            assert found["number_sum"] == pytest.approx(digits.sum(), rel=1e-4)
            assert found["logprob"] == pytest.approx(x[-1])
        begin += len(trace.signals)


def test_no_feature_sees_a_later_token() -> None:
    (whole,) = answers(count=1)
    cut = Trace(whole.model, whole.group, whole.signals[:3], (), whole.wrong, whole.prompt, whole.tokens[:3])
    np.testing.assert_array_equal(training.features([whole])[:3], training.features([cut]))


def test_without_text_its_features_are_zero() -> None:
    first, second = answers(count=2)
    found = training.features([Trace("m", "g", first.signals, ()), second])
    np.testing.assert_array_equal(found[: len(first.signals), len(RUNNING) :], 0)
    np.testing.assert_array_equal(found[len(first.signals) :], training.features([second]))


def test_the_trees_are_those_of_scikit_learn() -> None:
    some = answers()
    x, wrong = training.features(some)[training.ends(some)], np.array([t.wrong for t in some])
    each = np.random.default_rng(3).choice([0.2, 1.0], len(x))
    weights = training.train(x, wrong, each)
    columns = [c for c in range(len(NAMES)) if np.ptp(x[:, c]) > 0]
    model = HistGradientBoostingClassifier(random_state=0, early_stopping=False, **training._TREES)
    model.fit(x[:, columns], wrong, sample_weight=each)
    trees = 2 * PrefixModel(weights).raw(x) - PrefixModel(weights.model_copy(update={"trees": ()})).raw(x)
    np.testing.assert_allclose(trees, logit(model.predict_proba(x[:, columns])[:, 1]), atol=1e-5)


def test_weights_survive_the_file_and_refuse_what_does_not_exist() -> None:
    some = answers()
    x, wrong = training.features(some)[training.ends(some)], np.array([t.wrong for t in some])
    weights = training.train(x, wrong, np.ones(len(x)))
    again = PrefixWeights.model_validate_json(weights.model_dump_json())
    np.testing.assert_array_equal(PrefixModel(again).raw(x), PrefixModel(weights).raw(x))
    plain = weights.model_dump(mode="json")
    plain["trees"][0]["feature"][0] = len(NAMES)
    with pytest.raises(ValidationError, match="asks for feature"):
        PrefixWeights.model_validate(plain)
    plain = weights.model_dump(mode="json")
    plain["linear"]["feature"][0] = "mood"
    with pytest.raises(ValidationError, match="there is no feature mood"):
        PrefixWeights.model_validate(plain)


@pytest.mark.parametrize("train", [None, 1])
def test_right_or_wrong_alone_is_learned_and_calibrated(train: int | None) -> None:
    found = compare(answers(), None if train is None else answers(train))
    assert found["answer_auroc"] > 0.75
    assert found["answer_auroc_low"] < found["answer_auroc"] < found["answer_auroc_high"]
    assert found["answer_auroc_text"] < 0.65, "the text tells nothing"
    assert found["answer_less_text"] > 0.1
    assert found["answer_ece"] < 0.2


def test_what_is_known_of_the_question_does_not_leak() -> None:
    """Whether an answer is wrong depends on its question alone: other answers to it must not be learned from."""
    rng = np.random.default_rng(0)
    some = [t for i in range(30) for t in answers(100 + i, 5, f"g{i}")]
    bad = rng.random(30) < 0.5
    wrong = [bool(bad[i // 5]) for i in range(len(some))]
    some = [Trace("m", t.group, t.signals, (), w, t.group, t.tokens) for t, w in zip(some, wrong, strict=True)]
    assert compare(some)["answer_auroc"] < 0.62


def test_the_calibration_error_is_the_mean_distance() -> None:
    risk = np.array([0.05, 0.05, 0.95, 0.95])
    assert calibration_error(risk, np.array([False, False, True, True])) == pytest.approx(0.05)
    assert calibration_error(risk, np.array([True, True, False, False])) == pytest.approx(0.95)


def test_nothing_to_tell_apart_is_said() -> None:
    some = [Trace("m", f"{i}", t.signals, (), True, t.prompt, t.tokens) for i, t in enumerate(answers(count=12))]
    assert set(compare(some).values()) == {None}


def test_too_few_right_answers_for_each_fold_are_too_few() -> None:
    some = [Trace("m", f"{i}", t.signals, (), i > 0, t.prompt, t.tokens) for i, t in enumerate(answers(count=12))]
    assert set(compare(some).values()) == {None}
    with pytest.raises(TraceInvalid, match="more right or more wrong"):
        fit_answers("m", some, 5, "made up")
