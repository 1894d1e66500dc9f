import numpy as np
from sklearn.metrics import roc_auc_score

from ghostrouter.detect.ablation import EXTRAS, Data, ablate, area
from ghostrouter.detect.detector import Floats
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace
from tests.detect.test_calibration import traces

ENTROPY = COLUMNS.index("entropy_nats")


def changed(given: list[Trace], column: str, values: Floats) -> list[Trace]:
    out = []
    for trace, row in zip(given, values, strict=True):
        signals = trace.signals.copy()
        signals[:, COLUMNS.index(column)] = row
        out.append(Trace(trace.model, trace.group, signals, trace.spans))
    return out


def test_a_signal_that_tells_something_is_missed_and_others_are_not() -> None:
    """Everything is in the draft acceptance, nothing in the entropies, of which the bounds are no better."""
    rng = np.random.default_rng(0)
    plain = traces(90)
    noise = rng.random((90, 40)).astype(np.float32)
    for name in ("entropy_nats", "top_logprob", "margin"):
        plain = changed(plain, name, -noise if name == "top_logprob" else noise)
    wrong = np.stack([np.nan_to_num(t.labels) for t in plain])
    known = changed(plain, "draft_acceptance", 0.9 - 0.8 * wrong)
    data = Data(known[:60], known[60:])
    rows = ablate(data, data, resamples=10)
    assert set(rows) == {
        "full",
        "shipped",
        "shipped_without_exact_entropy",
        "without_exact_entropy",
        *(f"without_{name}" for name in EXTRAS),
    }
    assert rows["full"]["onset_auroc"] > 0.99
    assert rows["without_draft_acceptance"]["onset_auroc"] < 0.7
    assert rows["without_draft_acceptance"]["low"] > 0.2
    for name in ("full", "without_exact_entropy"):
        assert rows[name]["onset_auroc_lost"] == rows[name]["low"] == rows[name]["high"] == 0
    assert rows["without_slope"]["onset_auroc"] > 0.99


def test_the_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    found, onset = rng.integers(0, 9, 200).astype(float), rng.random(200) < 0.1
    np.testing.assert_allclose(area(found, onset), roc_auc_score(onset, found))
