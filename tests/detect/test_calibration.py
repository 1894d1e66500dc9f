from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from ghostrouter.detect import conformal, training
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.fit import Fit, fit, remainder
from ghostrouter.detect.monitor import Monitor
from ghostrouter.detect.remainder import Remainder
from ghostrouter.detect.rolling import NAMES, TEXT
from ghostrouter.errors import ConfigError, TraceInvalid
from ghostrouter.signals.batch import COLUMNS, matrix
from ghostrouter.traces.trace import Trace, joined_labels
from ghostrouter.types import Limits
from tests.make import KEY, calibration, token


def trace(rng: np.random.Generator, wrong_rate: float, group: str) -> Trace:
    """Wrong tokens have an entropy around 2 nats, right ones around 0.2; a step has ten tokens."""
    wrong = rng.random(40) < wrong_rate
    entropy = np.abs(rng.normal(np.where(wrong, 2.0, 0.2), 0.2))
    tokens = [
        token(entropy_nats=e, step_start=i % 10 == 0)._replace(top_logprob=-e / 2, margin=3 - e)
        for i, e in enumerate(entropy)
    ]
    spans = tuple((int(i), int(i) + 1) for i in np.flatnonzero(wrong))
    return Trace("m", group, matrix(tokens), spans)


def traces(n: int, wrong_rate: float = 0.05, seed: int = 0) -> list[Trace]:
    rng = np.random.default_rng(seed)
    return [trace(rng, wrong_rate, str(i)) for i in range(n)]


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit("m", traces(200), false_alarms_per_1000=5, fitted_on="made up")


def test_fit_finds_the_wrong_tokens(fitted: Fit) -> None:
    assert fitted.recall > 0.95
    assert fitted.delay_tokens == 0
    assert fitted.false_alarms <= 0.005
    c = fitted.calibration
    assert c.handoff_risk and 0 < c.quiet_risk < c.warm_risk < c.handoff_risk < 1
    assert c.remainder is not None
    assert c.alarms is not None
    assert 0.02 < c.alarms.per_token < 0.06  # about one step in three holds a wrong token
    assert 0.25 < c.remainder.step_hazard() < 0.55  # 1 - 0.95^10 = 0.4


def test_risk_is_a_probability(fitted: Fit) -> None:
    fresh = traces(100, seed=1)
    risk = 1 / (1 + np.exp(-np.concatenate(training.log_odds(fitted.calibration.hazard, fresh))))
    wrong = joined_labels(fresh) == 1
    assert risk.mean() == pytest.approx(wrong.mean(), abs=0.01)


def test_an_unlearned_detector_can_be_calibrated() -> None:
    some = traces(200)
    made = fit("m", some, false_alarms_per_1000=5, fitted_on="made up", detector="level")
    risk = 1 / (1 + np.exp(-np.concatenate(training.log_odds(made.calibration.hazard, some))))
    wrong = joined_labels(some) == 1
    assert made.recall > 0.95
    assert risk.mean() == pytest.approx(wrong.mean(), abs=0.01)


def test_the_trees_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    fit_forest = HistGradientBoostingClassifier.fit

    def fit_and_keep(self: object, x: object, y: object, **more: object) -> object:
        made.append(self)
        return fit_forest(self, x, y, **more)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", fit_and_keep)
    some = traces(100)
    weights = training.train(some)
    x, _ = training.rows(some)
    expected = made[0].decision_function(x)  # type: ignore[attr-defined]
    found = training.log_odds(weights, some)
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-4)


def test_little_data_gets_a_single_feature() -> None:
    assert training.train(traces(20)).trees == ()


def test_where_nothing_but_the_text_is_known_that_is_what_is_learned_from() -> None:
    assert training.train([t.without_logprobs() for t in traces(20)]).feature == "novelty"
    rng = np.random.default_rng(0)
    mixed = [talking(rng, str(i)) for i in range(100)]
    plain = [t.without_logprobs() for t in mixed]
    features = {f for tree in training.train(plain).trees for f in tree.feature}
    assert NAMES.index("novelty") in features
    known = {f for tree in training.train(mixed).trees for f in tree.feature}
    assert not {NAMES.index(name) for name in TEXT} & known, "live, a model with log-probabilities is not read that way"


def talking(rng: np.random.Generator, group: str) -> Trace:
    """A trace whose wrong tokens are new names, and uncertain."""
    made = trace(rng, 0.05, group)
    made.signals[:, COLUMNS.index("novelty")] = 2 * (made.labels == 1)
    made.signals[:, COLUMNS.index("top_logprob")] = -0.1 - (made.labels == 1)
    return made


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_fit_needs_right_and_wrong_tokens(rate: float) -> None:
    with pytest.raises(TraceInvalid, match="right and wrong"):
        fit("m", traces(10, rate), false_alarms_per_1000=5, fitted_on="")


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05])
def test_the_threshold_keeps_its_promise_on_average(rate: float) -> None:
    """Over many draws of traces to calibrate on, fresh ones alarm no more often than promised."""
    rng = np.random.default_rng(2)
    shape = traces(1, 0.0)[0]
    alarms = []
    for _ in range(100):
        risks = rng.random((60, 40)) ** 2
        at = conformal.threshold([shape] * 60, list(risks), rate)
        fresh = [conformal.step_peaks(shape, r) for r in rng.random((60, 40)) ** 2]
        alarms.append(np.mean([conformal.alarming(peaks, at).sum() / 40 for peaks in fresh]))
    assert np.mean(alarms) <= rate


def test_too_few_traces_promise_nothing() -> None:
    risks = [np.zeros(40)] * 3
    assert conformal.threshold(traces(3, 0.0), risks, 0.001) is None


def test_a_calibration_that_never_alarms_has_no_threshold(tmp_path: Path) -> None:
    """Older files say 2.0 for that."""
    made = calibration().model_dump(mode="json") | {"handoff_risk": None}
    older = Calibration.model_validate(made | {"handoff_risk": 2.0})
    assert older == Calibration.model_validate(made) and older.handoff_risk is None
    older.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == older
    monitor = Monitor(older)
    segment = monitor.open(KEY, Limits(may_hand_off=True))
    monitor.judge([segment], matrix([token(entropy_nats=9.0)] * 5), [5])
    assert segment.verdict is None and segment.trouble.onset == 0
    assert segment.take_alarms().alarms == 0


def test_an_answer_that_fails_is_expected_to_fail_again() -> None:
    """Half of the answers are wrong in every step, half in none."""
    certain, hopeless = traces(30, 0.0), traces(30, 1.0, seed=3)
    found = remainder([*certain, *hopeless])
    assert found.step_hazard() == pytest.approx(0.5, abs=0.1)
    assert found.step_hazard(failed_steps=2) > 0.9
    assert found.step_hazard(clean_steps=2) < 0.1
    assert found.tokens_per_step == pytest.approx(10)


def test_the_hazard_of_one_step_is_that_of_its_tokens() -> None:
    some = Remainder(alpha=0.3, beta=0.7, tokens_per_step=8)
    assert some.hazard(8, 1, 2) == pytest.approx(some.step_hazard(1, 2))
    assert some.hazard(0) == 0
    assert some.hazard(80) < some.hazard(800) < 1


def test_files_survive_the_way_to_disk(tmp_path: Path, fitted: Fit) -> None:
    for made in (calibration(), fitted.calibration):
        made.save(tmp_path / "c.json")
        assert Calibration.load(tmp_path / "c.json") == made


@pytest.mark.parametrize("content", [None, "", "{}", '{"model": "m", "unknown": 1}'])
def test_a_bad_file_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"c\.json"):
        Calibration.load(path)


def test_the_learned_detector_is_taken_where_it_beats_the_others() -> None:
    """Every wrong token is a digit behind a word; how unsure the model is says nothing."""
    rng = np.random.default_rng(0)
    told = [kinded(rng, str(i)) for i in range(120)]
    made = fit("m", told, false_alarms_per_1000=20, fitted_on="made up").calibration
    assert made.hazard.name == "hazard"
    assert "learned" in made.reasons["detector"]


def kinded(rng: np.random.Generator, group: str) -> Trace:
    """A trace whose wrong tokens are told by their kind alone."""
    made = trace(rng, 0.05, group)
    for name in ("entropy_nats", "top_logprob", "margin"):
        made.signals[:, COLUMNS.index(name)] = -rng.random(40) if name == "top_logprob" else rng.random(40)
    made.signals[:, COLUMNS.index("kind")] = np.where(made.labels == 1, 1, 3)
    return made


def test_an_unlearned_detector_is_taken_where_nothing_beats_it(fitted: Fit) -> None:
    """All there is to know is in the probability of the favourite."""
    made = fitted.calibration
    assert made.hazard.name in ("level", "least_confidence", "margin")
    assert "learned" in made.reasons["detector"]
    assert made.hazard.name in str(fitted)


def test_the_learned_detector_can_be_asked_for() -> None:
    made = fit("m", traces(100), false_alarms_per_1000=5, fitted_on="made up", detector="hazard").calibration
    assert (made.hazard.name, made.reasons["detector"]) == ("hazard", "asked for")


def test_alarms_that_come_at_once_are_where_the_answer_is_cut(fitted: Fit) -> None:
    assert fitted.calibration.rollback == "alarm"
    assert "alarms" in fitted.calibration.reasons["rollback"]


def test_late_alarms_are_cut_at_the_onset() -> None:
    """From the first wrong token on the entropy is a little higher; what alarms is a window's mean."""
    rng = np.random.default_rng(0)
    late = []
    for i in range(200):
        wrong = np.arange(40) >= (rng.integers(10, 30) if i % 2 else 40)
        entropy = np.abs(rng.normal(np.where(wrong, 0.8, 0.3), 0.3))
        tokens = [token(entropy_nats=e, step_start=t == 0) for t, e in enumerate(entropy)]
        late.append(Trace("m", str(i), matrix(tokens), ((int(wrong.argmax()), 40),) if wrong.any() else ()))
    made = fit("m", late, false_alarms_per_1000=2, fitted_on="made up", detector="window").calibration
    assert made.rollback == "onset", made.reasons
