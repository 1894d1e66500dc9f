"""How well do the detectors find where an answer goes wrong? Baselines that use no signal are measured too.

    make bench NAME=signals [SEED=1] [N=400] [TRAIN=2000] [MODEL=ghost-small]

Detectors are set up on validation questions (the forced view of `models.traces`), without questions about people of the
test questions. They are measured on what the model writes by itself for test questions. `ablation` has one row for the
learned detector with all signals, and one row for each signal that is left out. `rollback` has one row per detector:
the positions of its alarms and onsets. No service is needed.
"""

import os
import time
from typing import Any

import numpy as np

from bench.service import write
from ghostrouter.detect.ablation import Data, ablate
from ghostrouter.detect.calibration import Calibration, Risk
from ghostrouter.detect.detector import scan
from ghostrouter.detect.evaluate import compare, without_groups_of
from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000
from ghostrouter.detect.rollback_table import rollback_table
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.trace import Trace
from models import questions
from models.traces import FOLDER, TraceRecorder

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "400"))
TRAIN = int(os.environ.get("TRAIN", "2000"))
MODEL = os.environ.get("MODEL", "ghost-small")
_SEGMENTS, _ROUNDS = 32, 50


def step_us(traces: list[Trace]) -> float:
    """The time of the served detector for one token of each of 32 segments, in microseconds."""
    risk = Risk(Calibration.load(FOLDER / MODEL / "calibration.json"))
    signals = np.concatenate([t.signals[:1] for t in (traces * _SEGMENTS)[:_SEGMENTS]])
    state = np.zeros((_SEGMENTS, risk.width))
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        scan(risk, state, signals, [1] * _SEGMENTS)
        times.append(time.perf_counter() - began)
    return 1e6 * sorted(times)[_ROUNDS // 2]


def main() -> None:
    recorder = TraceRecorder(FOLDER / MODEL)
    lines = (
        list(recorder.forced(questions.sample("validation", 1, TRAIN))),
        list(recorder.own(questions.sample("test", SEED, N))),
    )
    exact = Data(*([as_trace(line) for line in half] for half in lines))
    bounded = Data(*([as_trace(line.model_copy(update={"entropies": None})) for line in half] for half in lines))
    exact, bounded = (data._replace(train=without_groups_of(data.test, data.train)) for data in (exact, bounded))
    result: dict[str, Any] = compare(exact.test, exact.train)
    late = rollback_table(exact.test, exact.train, FALSE_ALARMS_PER_1000)
    more = {"step_us_32_segments": step_us(list(exact.test)), "model": MODEL, "seed": SEED, "train": TRAIN}
    write("signals", result | more | {"ablation": ablate(exact, bounded), "rollback": late})


if __name__ == "__main__":
    main()
