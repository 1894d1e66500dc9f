"""How well do the signals tell where an answer goes wrong? Every detector, and baselines that look at no signal.

    make bench NAME=signals [SEED=1] [N=400] [TRAIN=2000] [MODEL=ghost-small]

Detectors are set up on validation questions (the forced view of `models.traces`), without those about people whom the
test asks for, and measured on what the model writes by itself for held-out test questions. `ablation` has a row for the
learned detector with every signal, and for each one left out; `rollback` a row per detector: where its alarms and
onsets lie. Needs no service.
"""

import os
import time
from typing import Any

import numpy as np

from bench.service import write
from ghostrouter.detect.ablation import Data, ablate
from ghostrouter.detect.calibration import Calibration, Risk
from ghostrouter.detect.detector import scan
from ghostrouter.detect.evaluate import compare, strangers
from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000
from ghostrouter.detect.late import cuts
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.trace import Trace, padded
from models import questions
from models.traces import FOLDER, JournalClient

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "400"))
TRAIN = int(os.environ.get("TRAIN", "2000"))
MODEL = os.environ.get("MODEL", "ghost-small")
_SEGMENTS, _ROUNDS = 32, 50


def step_us(traces: list[Trace]) -> float:
    """What the served detector takes for a token of each of 32 segments, in microseconds a batch."""
    risk = Risk(Calibration.load(FOLDER / MODEL / "calibration.json"))
    signals = padded((traces * _SEGMENTS)[:_SEGMENTS])[:, :1]
    state = np.zeros((_SEGMENTS, risk.width))
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        scan(risk, state, signals)
        times.append(time.perf_counter() - began)
    return 1e6 * sorted(times)[_ROUNDS // 2]


def main() -> None:
    recorder = JournalClient(FOLDER / MODEL)
    lines = (
        list(recorder.forced(questions.sample("validation", 1, TRAIN))),
        list(recorder.own(questions.sample("test", SEED, N))),
    )
    exact = Data(*([as_trace(line) for line in half] for half in lines))
    bounded = Data(*([as_trace(line.model_copy(update={"entropies": None})) for line in half] for half in lines))
    exact, bounded = (data._replace(train=strangers(data.train, data.test)) for data in (exact, bounded))
    result: dict[str, Any] = compare(exact.test, exact.train)
    late = cuts(exact.test, exact.train, FALSE_ALARMS_PER_1000)
    more = {"step_us_32_segments": step_us(list(exact.test)), "model": MODEL, "seed": SEED, "train": TRAIN}
    write("signals", result | more | {"ablation": ablate(exact, bounded), "rollback": late})


if __name__ == "__main__":
    main()
