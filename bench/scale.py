"""How does the cost of a token grow with the number of streams? And what do telemetry and verdicts cost?

    make bench NAME=scale [STREAMS=1,32,256,1024] [SECONDS=8] [PERIOD_MS=100] [SEGMENTS=10000] [SEED=1]

Streams: an engine that is made up (`bench/synthetic_engine.py`) gives each stream a token every PERIOD_MS. Real are, in
one process: reading tokens with their signals, judging them by the shipped calibration, holding back and framing,
reports to a telemetry shard, pickling of all that goes between deployments, the session with its conductor, the event
stream up to the ASGI server. Not in it: Ray's calls, its metrics, an HTTP server, the engine (measured alone, and taken
off). `replica` is the part up to the frames. With more streams than a core carries, tokens come later than they are
due: then `tokens_per_s` is below `offered_tokens_per_s`.

Shard: a real `Telemetry` with Ray's metrics takes in pickled reports. A signal is one token with all its columns.

Verdicts: SEGMENTS segments run in one process, in groups that step together, as a replica's do; each has a token every
`verdict_period_s`. A verdict's time goes from the moment at which the step was due to the moment at which its segments
are told. All may be handed off.
"""

import asyncio
import gc
import os
import statistics
import time
from contextlib import aclosing
from typing import Any

from bench import telemetry_load
from bench.arrivals import Arrival, problem, read_body
from bench.in_process import FOLDER, MODEL, Service
from bench.peer_rows import percentile
from bench.service import write
from bench.synthetic_engine import SyntheticEngine, answers
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest

STREAMS = tuple(int(n) for n in os.environ.get("STREAMS", "1,32,256,1024").split(","))
SECONDS = float(os.environ.get("SECONDS", "8"))
PERIOD_S = float(os.environ.get("PERIOD_MS", "100")) / 1e3
SEGMENTS = int(os.environ.get("SEGMENTS", "10000"))
LEAD_S = 2.0
TOKENS = round((LEAD_S + SECONDS + 2.0) / PERIOD_S)
# A machine with too much to do writes its tokens later; nobody waits longer for the last of them.
PATIENCE_S = 120.0


class Window:
    """Processor time and tokens of this process between two moments."""

    async def measure(self, engine: SyntheticEngine) -> None:
        await asyncio.sleep(LEAD_S)
        gc.collect()
        self.begin_s, cpu_s, tokens = time.perf_counter(), time.process_time(), engine.tokens
        await asyncio.sleep(SECONDS)
        self.end_s = time.perf_counter()
        self.cpu_s, self.tokens = time.process_time() - cpu_s, engine.tokens - tokens

    @property
    def cpu_us_per_token(self) -> float:
        return 1e6 * self.cpu_s / self.tokens


async def _engine_alone(tokenizer: ChatTokenizer, streams: int) -> Window:
    engine, window = SyntheticEngine(answers(tokenizer), PERIOD_S), Window()

    async def drain(number: int) -> None:
        async for _ in engine.steps(_request(number)):
            pass

    await _measured(engine, window, [drain(n) for n in range(streams)])
    return window


async def _replica(tokenizer: ChatTokenizer, streams: int) -> Window:
    engine, window = SyntheticEngine(answers(tokenizer), PERIOD_S), Window()
    service = Service(engine, tokenizer)

    async def drain(number: int) -> None:
        async with aclosing(service.replica.generate(_request(number))) as frames:
            async for _ in frames:
                pass

    await _measured(engine, window, [drain(n) for n in range(streams)])
    await service.close()
    return window


async def _service(tokenizer: ChatTokenizer, streams: int) -> tuple[Window, list[Arrival]]:
    engine, window, found = SyntheticEngine(answers(tokenizer), PERIOD_S), Window(), []
    service = Service(engine, tokenizer)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Who was Mira?"}],
        "max_tokens": TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }

    async def ask() -> None:
        asked_s = time.perf_counter()
        found.append((asked_s, *await service.chat(body)))

    await _measured(engine, window, [ask() for _ in range(streams)])
    await service.close()
    return window, [read_body(*answer) for answer in found]


async def _measured(engine: SyntheticEngine, window: Window, calls: list[Any]) -> None:
    try:
        async with asyncio.timeout(LEAD_S + SECONDS + PATIENCE_S):
            await asyncio.gather(window.measure(engine), *calls)
    finally:
        engine.stop()


def _request(number: int) -> SegmentRequest:
    return SegmentRequest(SegmentKey(f"scale-{number}", 0), MODEL, (1,), 0, Sampling(max_tokens=TOKENS))


def streams_row(tokenizer: ChatTokenizer, streams: int) -> dict[str, Any]:
    """The figures for a number of streams.

    Raises:
        RuntimeError: an answer is wrong.
    """
    alone = asyncio.run(_engine_alone(tokenizer, streams)).cpu_us_per_token
    replica = asyncio.run(_replica(tokenizer, streams))
    window, found = asyncio.run(_service(tokenizer, streams))
    if wrong := [p for a in found if (p := problem(a, TOKENS, "length"))]:
        raise RuntimeError(f"{len(wrong)} of {len(found)} answers are wrong: {wrong[0]}")
    pairs = [(b, b - a) for answer in found for (a, _), (b, _) in zip(answer.pieces, answer.pieces[1:], strict=False)]
    gaps = [gap_s for at_s, gap_s in pairs if window.begin_s <= at_s < window.end_s]
    cpu_us = window.cpu_us_per_token - alone
    row = {
        "streams": streams,
        "offered_tokens_per_s": streams / PERIOD_S,
        "tokens_per_s": window.tokens / (window.end_s - window.begin_s),
        "cpu_us_per_token": cpu_us,
        "replica_cpu_us_per_token": replica.cpu_us_per_token - alone,
        "engine_cpu_us_per_token": alone,
        "tokens_per_s_per_core": 1e6 / cpu_us,
        "gap_p50_ms": 1e3 * statistics.median(gaps),
        "gap_p99_ms": 1e3 * percentile(gaps, 0.99),
    }
    print({k: round(v, 1) for k, v in row.items()}, flush=True)
    return {k: round(v, 2) for k, v in row.items()}


def main() -> None:
    tokenizer = ChatTokenizer(str(FOLDER))
    rows = [streams_row(tokenizer, n) for n in STREAMS]
    found: dict[str, Any] = {}
    for row in rows:
        found[f"cpu_us_per_token_{row['streams']}"] = row["cpu_us_per_token"]
    most = rows[-1]
    found["tokens_per_s_per_core"] = most["tokens_per_s_per_core"]
    found["gap_p99_ms"] = most["gap_p99_ms"]
    found |= telemetry_load.verdicts(SEGMENTS, SECONDS)
    found |= telemetry_load.shard(SECONDS)
    write("scale", {**found, "rows": rows, "period_ms": 1e3 * PERIOD_S, "seconds": SECONDS})


if __name__ == "__main__":
    main()
