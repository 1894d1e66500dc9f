"""The load of telemetry for `make bench NAME=scale`: verdicts over many running segments, and reports to a shard."""

import asyncio
import pickle
import time
from random import Random
from typing import Any

import numpy as np
import ray

from bench.in_process import CALIBRATION, MODEL, no_metrics
from bench.peer_rows import percentile
from deployments.engine.segment_judge import RunningSegment, SegmentJudge
from deployments.engine.telemetry_client import TelemetryClient
from deployments.garbage_collector import spare_what_is_loaded
from deployments.telemetry import Telemetry
from ghostrouter import config
from ghostrouter.detect.calibration import Calibration
from ghostrouter.signals.batch import Reported, SignalBatch, matrix
from ghostrouter.types import Limits, SegmentKey, Token

GROUP = 256
VERDICT_PERIOD_S = 1.0
# A report of a replica: this many segments with this many tokens each since the last one.
REPORT = (64, 16)


class _Wake:
    """Stands for the event that wakes a segment's writer, and notes when it is set."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def set(self) -> None:
        self.at_s = time.perf_counter()


def tokens(count: int) -> list[Token]:
    """Tokens of a model that is sure, so that hardly a segment ends."""
    rng = Random("telemetry")
    words = (" word", " a", ".", "12", " Mira", ",", "\n")
    found = []
    for _ in range(count):
        logprob, entropy_nats, second = -rng.uniform(0.0005, 0.02), rng.uniform(0.002, 0.08), rng.uniform(4.0, 9.0)
        entropies = (entropy_nats, entropy_nats, entropy_nats)
        text = rng.choice(words)
        found.append(Token(5, text, logprob, 1, second, *entropies, 0.02, 0, text == "\n", (), logprob, 1.5))
    return found


def verdicts(segments: int, seconds: float) -> dict[str, Any]:
    """The time to a verdict with so many segments running."""
    return asyncio.run(_verdicts(segments, seconds))


async def _verdicts(count: int, seconds: float) -> dict[str, Any]:
    spare_what_is_loaded()  # as a replica does
    client = TelemetryClient(MODEL, [], config.Telemetry(), no_metrics, Calibration.load(CALIBRATION))
    judge = SegmentJudge(client)
    pool = tokens(1024)
    everyone = [_opened(judge, number) for number in range(count)]
    groups = [everyone[at : at + GROUP] for at in range(0, count, GROUP)]
    turn_s = VERDICT_PERIOD_S / len(groups)
    waits: list[float] = []
    turns, judged = round(seconds / turn_s), 0
    begin_s, cpu_s = time.perf_counter(), time.process_time()
    for turn in range(turns):
        due_s = begin_s + turn * turn_s
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        group = groups[turn % len(groups)]
        for i, (number, segment, _) in enumerate(group):
            if segment.verdict is not None:
                group[i] = _opened(judge, number)
            judge.submit(group[i][1], (pool[(turn * 31 + number * 7) % len(pool)],))
        await asyncio.sleep(0)  # the judge's turn comes before this returns
        waits += [wake.at_s - due_s for _, _, wake in group]
        judged += len(group)
        for _, segment, _ in group:
            segment.take()
    used_s = time.process_time() - cpu_s
    client.stop()
    found = {
        "verdict_p50_ms_at_10k_segments": 1e3 * percentile(waits, 0.5),
        "verdict_p99_ms_at_10k_segments": 1e3 * percentile(waits, 0.99),
        "verdicts_per_s_per_core": judged / used_s,
        "verdict_segments": count,
        "verdict_group": GROUP,
        "verdict_period_s": VERDICT_PERIOD_S,
    }
    print(found, flush=True)
    return found


def _opened(judge: SegmentJudge, number: int) -> tuple[int, RunningSegment, _Wake]:
    wake: Any = _Wake()
    return number, judge.open(SegmentKey(f"s{number}", 0), Limits(may_hand_off=True), wake), wake


def shard(seconds: float) -> dict[str, Any]:
    """How many signals a shard takes in a second of a core."""
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        return asyncio.run(_shard(seconds))
    finally:
        ray.shutdown()


def expected_alarms(calibration: Calibration, segments: int, tokens_each: int) -> list[int]:
    """The alarms of each segment: together as many as the calibration expects."""
    assert calibration.alarms
    expected = calibration.alarms.per_token * tokens_each
    return [int((i + 1) * expected) - int(i * expected) for i in range(segments)]


def report() -> bytes:
    """A report of a replica, as it goes to a shard."""
    segments, each = REPORT
    values = matrix(tokens(segments * each))
    # As often as the calibration expects, so that no drift is found.
    alarms = expected_alarms(Calibration.load(CALIBRATION), segments, each)
    reported = tuple(Reported(SegmentKey(f"s{i}", 0), 0, each, "continue", 0.01, each, n) for i, n in enumerate(alarms))
    return pickle.dumps(SignalBatch(MODEL, reported, np.asarray(values)))


async def _shard(seconds: float) -> dict[str, Any]:
    telemetry = Telemetry({MODEL: Calibration.load(CALIBRATION)})
    segments, each = REPORT
    sent = report()
    await telemetry.observe(pickle.loads(sent))  # noqa: S301 - our own; metrics are made at first use
    taken, begin_s, cpu_s = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() < begin_s + seconds:
        await telemetry.observe(pickle.loads(sent))  # noqa: S301 - our own
        taken += segments * each
    used_s = time.process_time() - cpu_s
    found = {"signals_per_s_per_core": taken / used_s, "report_segments": segments, "report_tokens": segments * each}
    print(found, flush=True)
    return found
