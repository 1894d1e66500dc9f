import numpy as np

from ghostrouter.detect.ablation import EXTRAS, Data, ablate
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
    plain = [*traces(80), *traces(40, seed=1)]
    noise = rng.random((120, 40)).astype(np.float32)
    for name in ("entropy_nats", "top_logprob", "margin"):
        plain = changed(plain, name, -noise if name == "top_logprob" else noise)
    wrong = np.stack([np.nan_to_num(t.labels) for t in plain])
    known = changed(plain, "draft_acceptance", 0.9 - 0.8 * wrong)
    rows = ablate(Data(known[:80], known[80:]), Data(known[:80], known[80:]))
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
