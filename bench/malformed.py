"""What do a hundred thousand malformed requests leave behind? The real ingress in one process, without Ray.

    make bench NAME=malformed            # REQUESTS=100000 CLIENTS=32 SEED=1

Requests are valid ones that were spoilt: bytes flipped, cut off, doubled, values of other types, deep or huge values,
wrong headers, paths and methods. The keys: `server_errors` (500 and more), `unanswered`, `rss_before_mb` (the memory
after the first fifth, when caches and the bounded lists of the service are full), `rss_after_mb` (after all of them),
`rss_growth_mb`, the difference, and `rss_by_fifth_mb`, the memory after each fifth.
"""

import asyncio
import gc
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from bench.in_process import FOLDER, MODEL, Service
from bench.seeds import SEED
from bench.service import write
from bench.synthetic_engine import SyntheticEngine, answers
from ghostrouter.replay.tokenizers import ChatTokenizer

REQUESTS = int(os.environ.get("REQUESTS", "100000"))
CLIENTS = int(os.environ.get("CLIENTS", "32"))
# A request that gets no answer for so long hangs. (One of them asks for eight thousand tokens.)
PATIENCE_S = 600.0
# The answers of valid ones are kept for an hour otherwise: in a short run the store would only grow.
_KEPT_S = 5.0
_TURNS = [{"role": "user", "content": "Who?"}]
_BODIES: dict[str, Any] = {
    "/v1/chat/completions": {
        "model": MODEL,
        "messages": _TURNS,
        "max_tokens": 1,
        "stop": ["x"],
        "ghost": {"allow": []},
    },
    "/v1/completions": {"model": MODEL, "prompt": "Who?", "max_tokens": 1},
    "/v1/responses": {"model": MODEL, "input": "Who?", "max_output_tokens": 1, "store": False},
    "/v1/messages": {"model": MODEL, "max_tokens": 1, "messages": _TURNS},
    "/v1/messages/count_tokens": {"model": MODEL, "messages": _TURNS},
    "/v1/embeddings": {"model": MODEL, "input": ["Who?"]},
    "/v1/route": {"query": "Who?"},
    "/v1/feedback": {"session": "chatcmpl-1", "rating": 1.0},
    "/call": {
        "caller": {"handle": "anna", "account_id": "12345678"},
        "intent": {"class": "summarize"},
        "target": {"type": "model", "alias": MODEL},
        "prompt": "Who?",
    },
}
_READ = (
    "/v1/responses/",
    "/v1/traces/",
    "/result/",
    "/v1/models/",
    "/jobs?limit=",
    "/v1/traces?limit=",
    "/x",
    "//",
    "/%",
)
_ODD: list[Any] = [
    None, True, -1, 0, 1e308, 2**70, "", "\ud800", "x" * 10_000, [], {}, [[]], [None], {"": 0}, "\x00", "🐢", 0.1
]  # fmt: skip
_HEADERS = [
    ("content-type", "text/plain"), ("content-type", "application/json"), ("content-encoding", "gzip"),
    ("content-encoding", "br"), ("authorization", "Bearer \xff"), ("authorization", "x" * 5000),
    ("host", "evil.example"),
    ("idempotency-key", "\xfc" * 300), ("last-event-id", "chatcmpl-1:x"), ("last-event-id", ":::"),
    ("x-ghost-redaction", "none"), ("traceparent", "00-zz"), ("x-request-id", "a b"), ("content-length", "-1"),
]  # fmt: skip


def spoilt(rng: Random) -> tuple[str, str, list[tuple[str, str]], bytes]:
    """A malformed request: method, path with query, headers, body."""
    headers = rng.sample(_HEADERS, rng.choice((0, 0, 1, 2)))
    if rng.random() < 0.15:
        junk = "".join(rng.choice("a0-_%/.:\x7fä ") for _ in range(rng.randrange(20)))
        return rng.choice(("GET", "GET", "POST", "PUT", "OPTIONS")), rng.choice(_READ) + junk, headers, b""
    path = rng.choice(list(_BODIES))
    body = json.loads(json.dumps(_BODIES[path]))
    kind = rng.randrange(6)
    if kind == 0:
        return "POST", path, headers, bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
    if kind == 1:
        depth = rng.choice((10, 200, 100_000))
        return "POST", path, headers, rng.choice((b"[", b'{"a":', b'{"messages":[')) * depth
    for _ in range(rng.randrange(1, 3)):
        _spoil(rng, body)
    raw = json.dumps(body).encode("utf-8", "surrogatepass")
    if kind == 2:
        raw = raw[: rng.randrange(len(raw))]
    if kind == 3:
        at = rng.randrange(len(raw))
        raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
    if kind == 4:
        raw += raw
    return "POST", path, headers, raw


def _spoil(rng: Random, body: Any) -> None:
    """Replace, add or remove a value somewhere in a body."""
    at = body
    while rng.random() < 0.5:
        inner = [v for v in (at.values() if isinstance(at, dict) else at) if isinstance(v, dict | list) and v]
        if not inner:
            break
        at = rng.choice(inner)
    odd = json.loads(json.dumps(rng.choice(_ODD)))
    if isinstance(at, dict):
        name = rng.choice([*at, "surprise"])
        if rng.random() < 0.2:
            at.pop(name, None)
        else:
            at[name] = odd
    else:
        at[rng.randrange(len(at))] = odd


def _rss_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(requests: int, rng: Random) -> dict[str, Any]:
    tokenizer = ChatTokenizer(str(FOLDER))
    engine = SyntheticEngine(answers(tokenizer), 0.001)
    service = Service(engine, tokenizer, journal={"keep_s": _KEPT_S})
    statuses: Counter[int] = Counter()

    async def client(numbers: Iterator[int]) -> None:
        for _ in numbers:
            async with asyncio.timeout(PATIENCE_S):
                statuses[await service.send(*spoilt(rng))] += 1

    async def send(count: int) -> float:
        """Send so many requests. Returns the memory then."""
        numbers = iter(range(count))
        await asyncio.gather(*(client(numbers) for _ in range(CLIENTS)))
        return _rss_mb()

    memory_mb = [await send(requests // 5) for _ in range(5)]
    await service.close()
    engine.stop()
    return {
        "requests": requests,
        "server_errors": sum(n for status, n in statuses.items() if status >= 500),
        "unanswered": statuses[0],
        "accepted": sum(n for status, n in statuses.items() if status and status < 300),
        "rss_before_mb": memory_mb[0],
        "rss_after_mb": memory_mb[-1],
        "rss_growth_mb": memory_mb[-1] - memory_mb[0],
        "rss_by_fifth_mb": memory_mb,
        "by_status": {str(status): n for status, n in sorted(statuses.items())},
    }


def main() -> None:
    write("malformed", asyncio.run(measure(REQUESTS, Random(SEED))))


if __name__ == "__main__":
    main()
