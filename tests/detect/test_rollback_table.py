import numpy as np

from ghostrouter.detect.rollback_table import rollback_table
from ghostrouter.signals.batch import matrix
from ghostrouter.traces.trace import Trace
from tests.make import token


def drifting(n: int, seed: int) -> list[Trace]:
    """Half of the answers go wrong somewhere, and are a little less certain from there on."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        wrong = np.arange(40) >= (rng.integers(10, 30) if i % 2 else 40)
        entropy = np.abs(rng.normal(np.where(wrong, 0.8, 0.3), 0.3))
        tokens = [token(entropy_nats=e, step_start=t == 0) for t, e in enumerate(entropy)]
        spans = ((int(wrong.argmax()), 40),) if wrong.any() else ()
        out.append(Trace("m", f"{seed}/{i}", matrix(tokens), spans))
    return out


def test_a_window_alarms_late_and_its_onset_is_nearer() -> None:
    rows = rollback_table(drifting(100, 1), drifting(100, 0), false_alarms_per_1000=2)
    window = rows["window"]
    delay, at_alarm, at_onset, nearer = (
        window[k] or 0.0 for k in ("delay_tokens", "distance_alarm", "distance_onset", "nearer_low")
    )
    assert delay > 3
    assert 0 < at_onset < at_alarm
    assert nearer > 0
    assert {"hazard", "cusum", "text_only"} < set(rows)
