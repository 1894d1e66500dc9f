"""Which answers a calibration alarms on, judged as serving judges them."""

from collections.abc import Sequence

import numpy as np

from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.monitor import Monitor
from ghostrouter.traces.trace import Trace
from ghostrouter.types import Limits, SegmentKey

_AT_ONCE = 256
_OFF = Limits(may_hand_off=True)


def alarmed(calibration: Calibration, traces: Sequence[Trace]) -> dict[str, float | None]:
    """The share of right and of wrong answers in which some token alarms, by the calibration's own thresholds.

    The traces should not be those that the calibration was fitted to. A share is None if there are no such answers.
    """
    monitor = Monitor(calibration)
    found = []
    for begin in range(0, len(traces), _AT_ONCE):
        part = traces[begin : begin + _AT_ONCE]
        segments = [
            monitor.open(SegmentKey(str(i), 0), Limits(may_hand_off=True), t.prompt) for i, t in enumerate(part)
        ]
        pieces = [piece for t in part for piece in t.tokens]
        monitor.judge(segments, np.concatenate([t.signals for t in part]), [len(t.signals) for t in part], pieces)
        found += [s.verdict is not None for s in segments]
    alarms, wrong = np.array(found), np.array([t.wrong for t in traces])
    return {
        f"{name}_answers_alarmed_share": float(alarms[which].mean()) if which.any() else None
        for name, which in (("right", ~wrong), ("wrong", wrong))
    }
