"""What does it cost to be watched? Tokens per second of processor time and time to first token, in three lanes.

    make bench NAME=telemetry [STREAMS=32] [SECONDS=6] [ROUNDS=4]

Lanes: `on` has Ray's metrics, spans sent to a collector, and a line of JSON per session in the log. `metrics` has Ray's
metrics alone. `off` has none of the three. The lanes take turns. Everything of a session runs in one process around an
engine that is made up (`bench/in_process.py`), so that no model hides the cost; a real model makes the share smaller.
Ray runs beside it, and its metrics are the real ones. Signals are judged in every lane: answers depend on them.

`throughput_on_over_off` compares tokens per second of this process' processor time, the median over the rounds.
`metrics_series_total` counts the series that Ray exports at the end of it.
"""

import asyncio
import gc
import logging
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import ray
from ray._common.formatters import JSONFormatter

from bench.arrivals import problem, read_body
from bench.in_process import FOLDER, MODEL, Service, no_metrics
from bench.service import write
from bench.synthetic_engine import SyntheticEngine, answers
from deployments.http.node_metrics import NodeMetrics
from deployments.ray_metrics import RayMetrics
from ghostrouter.events.metrics import Emit
from ghostrouter.replay.tokenizers import ChatTokenizer

STREAMS = int(os.environ.get("STREAMS", "32"))
SECONDS = float(os.environ.get("SECONDS", "6"))
ROUNDS = int(os.environ.get("ROUNDS", "4"))
BAR = 0.97
_TOKENS = 64
_PERIOD_S = 0.02
_EXPORTED_S = 12.0  # Ray exports every ten seconds
_LOG = logging.getLogger("ray.serve")


class Lane(NamedTuple):
    """What one turn of a lane has measured."""

    tokens_per_cpu_s: float
    ttft_ms: float


@contextmanager
def _collector() -> Iterator[str]:
    """The URL of a collector that takes every span."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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


def _turn(tokenizer: ChatTokenizer, lane: str, emit: Emit) -> Lane:
    if lane != "on":
        return asyncio.run(_measured(tokenizer, emit))
    with _collector() as url, _logged():
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        try:
            return asyncio.run(_measured(tokenizer, emit))
        finally:
            del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


async def _measured(tokenizer: ChatTokenizer, emit: Emit) -> Lane:
    """STREAMS clients that ask again and again for SECONDS.

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
    end_s, cpu_s, tokens = time.perf_counter() + SECONDS, time.process_time(), engine.tokens

    async def client() -> None:
        while time.perf_counter() < end_s:
            asked_s = time.perf_counter()
            found = read_body(asked_s, *await service.chat(body))
            if wrong := problem(found, _TOKENS, "length"):
                raise RuntimeError(wrong)
            waits_ms.append(1e3 * found.ttft_s)

    await asyncio.gather(*(client() for _ in range(STREAMS)))
    cpu_s, tokens = time.process_time() - cpu_s, engine.tokens - tokens
    engine.stop()
    await service.close()
    return Lane(tokens / cpu_s, statistics.median(waits_ms))


async def _series() -> int:
    await asyncio.sleep(_EXPORTED_S)
    node_metrics = NodeMetrics()
    page = await node_metrics.page()
    await node_metrics.close()
    return sum(not line.startswith("#") for line in page.splitlines())


def main() -> None:
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    else:
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    _LOG.setLevel(logging.ERROR)
    tokenizer, counted = ChatTokenizer(str(FOLDER)), RayMetrics()
    sinks: dict[str, Emit] = {"on": counted, "metrics": counted, "off": no_metrics}
    lanes: dict[str, list[Lane]] = {name: [] for name in sinks}
    for name in sinks:  # what is imported or compiled at the first use is no cost of a lane
        _turn(tokenizer, name, sinks[name])
    for turn in range(ROUNDS):
        for name in sinks if turn % 2 else reversed(sinks):
            turned = _turn(tokenizer, name, sinks[name])
            lanes[name].append(turned)
            print(f"  {name:<8} {turned.tokens_per_cpu_s:.0f} tokens/s of CPU, {turned.ttft_ms:.1f} ms", flush=True)
    rates = {name: statistics.median(turn.tokens_per_cpu_s for turn in found) for name, found in lanes.items()}
    result: dict[str, Any] = {
        "throughput_on_over_off": rates["on"] / rates["off"],
        "throughput_metrics_over_off": rates["metrics"] / rates["off"],
        "metrics_series_total": asyncio.run(_series()),
        "streams": STREAMS,
        "rounds": ROUNDS,
        "bar": BAR,
    }
    for name, found in lanes.items():
        result[f"tokens_per_cpu_s_{name}"] = rates[name]
        result[f"ttft_p50_ms_{name}"] = statistics.median(turn.ttft_ms for turn in found)
    ray.shutdown()
    write("telemetry", result)


if __name__ == "__main__":
    main()
