"""What does it cost to be watched? Processor time per token, tokens per second and time to first token, in three lanes.

    make bench NAME=telemetry [STREAMS=32] [SECONDS=2] [ROUNDS=20] [SEED=1]

Lanes: `on` has Ray's metrics, spans sent to a collector, and a line of JSON per session in the log. `metrics` has Ray's
metrics alone. `off` has none of the three. Everything of a session runs in one process around an engine that is made up
(`bench/in_process.py`), so that no model hides the cost; a real model makes the share smaller. Ray runs beside it, and
its metrics are the real ones; the collector is another process. Signals are judged in every lane, because answers
depend on them.

Other work on the machine makes processor time dearer, for minutes or for a moment. So turns are short, each round has
one of each lane in a drawn order, and lanes are compared within a round. `throughput_on_over_off` is tokens per second
of this process' processor time, of lane `on` over lane `off`: the median of the rounds, with a 95% interval over them.
`tokens_per_s_*` are by the clock; the engine writes at a fixed pace, so they say whether it was kept.
`metrics_series_total` counts the series that Ray exports at the end of it.
"""

import asyncio
import gc
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NamedTuple

from ray._common.formatters import JSONFormatter

from bench.arrivals import problem, read_body
from bench.in_process import FOLDER, MODEL, Service, no_metrics
from bench.service import write
from bench.span_collector import span_collector
from bench.synthetic_engine import SyntheticEngine, answers
from deployments.http.node_metrics import NodeMetrics
from deployments.node import single_node
from deployments.ray_metrics import RayMetrics
from ghostrouter.confidence_intervals import Interval, interval
from ghostrouter.events.metrics import Emit
from ghostrouter.replay.tokenizers import ChatTokenizer

STREAMS = int(os.environ.get("STREAMS", "32"))
SECONDS = float(os.environ.get("SECONDS", "2"))
ROUNDS = int(os.environ.get("ROUNDS", "20"))
SEED = int(os.environ.get("SEED", "1"))
BAR = 0.97
LANES = ("on", "metrics", "off")
_TOKENS = 64
_PERIOD_S = 0.02
_EXPORTED_S = 12.0  # Ray exports every ten seconds
_DRAWS = 2_000
_LOG = logging.getLogger("ray.serve")


class Turn(NamedTuple):
    """What one turn of a lane has measured."""

    cpu_us_per_token: float
    tokens_per_s: float
    ttft_ms: float


@contextmanager
def _logged() -> Iterator[None]:
    """Lines of JSON in a file, as Serve writes them."""
    with tempfile.NamedTemporaryFile("w") as file:
        handler = logging.StreamHandler(file)
        handler.setFormatter(JSONFormatter())
        _LOG.addHandler(handler)
        _LOG.setLevel(logging.INFO)
        try:
            yield
        finally:
            _LOG.removeHandler(handler)
            _LOG.setLevel(logging.ERROR)


def _turn(tokenizer: ChatTokenizer, lane: str, collector: str) -> Turn:
    emit: Emit = no_metrics if lane == "off" else RayMetrics()  # one for each event loop
    if lane != "on":
        return asyncio.run(_measured(tokenizer, emit))
    with _logged():
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
        try:
            return asyncio.run(_measured(tokenizer, emit))
        finally:
            del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


async def _measured(tokenizer: ChatTokenizer, emit: Emit) -> Turn:
    """STREAMS clients that ask again and again for SECONDS. What is sent after the last answer counts as well.

    Raises:
        RuntimeError: an answer is wrong.
    """
    engine = SyntheticEngine(answers(tokenizer), _PERIOD_S)
    service = Service(engine, tokenizer, emit)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Who was Mira?"}],
        "max_tokens": _TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    waits_ms: list[float] = []
    await service.chat(body)  # warm
    gc.collect()
    began_s, cpu_s, tokens = time.perf_counter(), time.process_time(), engine.tokens

    async def client() -> None:
        while time.perf_counter() < began_s + SECONDS:
            asked_s = time.perf_counter()
            found = read_body(asked_s, *await service.chat(body))
            if wrong := problem(found, _TOKENS, "length"):
                raise RuntimeError(wrong)
            waits_ms.append(1e3 * found.ttft_s)

    await asyncio.gather(*(client() for _ in range(STREAMS)))
    took_s, tokens = time.perf_counter() - began_s, engine.tokens - tokens
    engine.stop()
    await service.close()
    cpu_s = time.process_time() - cpu_s
    return Turn(1e6 * cpu_s / tokens, tokens / took_s, statistics.median(waits_ms))


def _compared(lanes: dict[str, list[Turn]], lane: str) -> Interval:
    """Tokens per processor second of a lane over those of lane `off`: the median over the rounds."""
    pairs = zip(lanes["off"], lanes[lane], strict=True)
    ratios = [off.cpu_us_per_token / on.cpu_us_per_token for off, on in pairs]
    return interval(lambda rows: statistics.median(ratios[row] for row in rows), range(ROUNDS), _DRAWS)


def _quartiles(values: Sequence[float]) -> list[float]:
    first, _, third = statistics.quantiles(values, n=4)
    return [first, third]


async def _series() -> int:
    await asyncio.sleep(_EXPORTED_S)
    node_metrics = NodeMetrics()
    page = await node_metrics.page()
    await node_metrics.close()
    return sum(not line.startswith("#") for line in page.splitlines())


def main() -> None:
    """Start Ray, or connect to the cluster that RAY_ADDRESS names, and measure."""
    _LOG.setLevel(logging.ERROR)
    with single_node.running():
        result = _result(_turns())
    write("telemetry", result)


def _turns() -> dict[str, list[Turn]]:
    """The turns of each lane, round by round."""
    tokenizer, rng = ChatTokenizer(str(FOLDER)), Random(SEED)
    lanes: dict[str, list[Turn]] = {name: [] for name in LANES}
    with span_collector() as collector:
        for name in LANES:  # what is imported or compiled at the first use is no cost of a lane
            _turn(tokenizer, name, collector)
        for _ in range(ROUNDS):
            for name in rng.sample(LANES, len(LANES)):
                lanes[name].append(_turn(tokenizer, name, collector))
            told = ", ".join(f"{name} {found[-1].cpu_us_per_token:.0f}" for name, found in lanes.items())
            print(f"  us of processor time per token: {told}", flush=True)
    return lanes


def _result(lanes: dict[str, list[Turn]]) -> dict[str, Any]:
    all_on, metrics_on = _compared(lanes, "on"), _compared(lanes, "metrics")
    result: dict[str, Any] = {
        "throughput_on_over_off": all_on.value,
        "throughput_on_over_off_range": [all_on.low, all_on.high],
        "throughput_metrics_over_off": metrics_on.value,
        "throughput_metrics_over_off_range": [metrics_on.low, metrics_on.high],
        "metrics_series_total": asyncio.run(_series()),
        "streams": STREAMS,
        "rounds": ROUNDS,
        "bar": BAR,
    }
    for name, found in lanes.items():
        cpu_us = [turn.cpu_us_per_token for turn in found]
        result[f"cpu_us_per_token_{name}"] = statistics.median(cpu_us)
        result[f"cpu_us_per_token_{name}_range"] = _quartiles(cpu_us)
        result[f"tokens_per_s_{name}"] = statistics.median(turn.tokens_per_s for turn in found)
        result[f"ttft_p50_ms_{name}"] = statistics.median(turn.ttft_ms for turn in found)
    return result


if __name__ == "__main__":
    main()
