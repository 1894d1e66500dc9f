"""How many bytes do a token and an answer take: between processes, to clients, and in the stores?

    make bench NAME=sizes [SESSIONS=100] [TOKENS=400] [ROWS=5000]

The service runs in one process (`bench/in_process.py`). Sizes do not depend on the machine. The tokens are
single characters, as the shipped models write them; in what goes to clients, the text is counted apart.
`frame_bytes_per_token_N`: in frames of N tokens from a replica to the ingress. `signal_bytes_per_token`: in reports to
telemetry. `event_bytes`: of a server-sent event without its text. `journal_bytes_per_session` and
`stored_bytes_per_session`: of an answer of TOKENS tokens in the session store and in the event store's database.
`traces_per_s_per_core`: how many traces the event store's process writes to SQLite in a second of a core.
"""

import asyncio
import hashlib
import json
import os
import time
from dataclasses import replace
from typing import Any

from bench import telemetry_load
from bench.in_process import FOLDER, MODEL, Service
from bench.service import write
from bench.synthetic_engine import SyntheticEngine, answers
from deployments.event_store import EventStore
from ghostrouter import data_pickle
from ghostrouter.errors import StoreFailed
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Frame, Sampling, SegmentKey, SegmentRequest, Token

SESSIONS = int(os.environ.get("SESSIONS", "100"))
TOKENS = int(os.environ.get("TOKENS", "400"))
ROWS = int(os.environ.get("ROWS", "5000"))
FRAMES = (1, 4, 20)
_AT_A_TIME = 20
_BATCH = 100


async def frame_bytes(service: Service) -> dict[str, float]:
    """Bytes per token of frames of different lengths."""
    key, tokens = SegmentKey("sizes", 0), list[Token]()
    async for frame in service.replica.generate(SegmentRequest(key, MODEL, (1,), 0, Sampling(max_tokens=TOKENS))):
        assert isinstance(frame, Frame)
        tokens += frame.tokens
    found = {}
    for length in FRAMES:
        frames = (Frame(key, at, tuple(tokens[at : at + length])) for at in range(0, len(tokens), length))
        sent = sum(len(data_pickle.dumps((1, frame))) for frame in frames)
        found[f"frame_bytes_per_token_{length}"] = sent / len(tokens)
    return found


async def event_bytes(service: Service) -> float:
    """Bytes of a server-sent event besides its text, over SESSIONS answers."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Who?"}], "max_tokens": TOKENS, "stream": True}
    sizes: list[int] = []
    for _ in range(0, SESSIONS, _AT_A_TIME):
        for status, reads in await asyncio.gather(*(service.chat(body) for _ in range(_AT_A_TIME))):
            assert status == 200
            sizes += filter(None, map(_besides_text, b"".join(part for _, part in reads).split(b"\n\n")))
    return sum(sizes) / len(sizes)


def _besides_text(event: bytes) -> int:
    """The bytes around an event's text; 0 if it has none."""
    _, _, data = event.partition(b"data: ")
    choices = json.loads(data).get("choices", ()) if data.startswith(b"{") else ()
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return len(event) + len(b"\n\n") - len(json.dumps(text)[1:-1]) if text else 0


async def traces_per_s_per_core(events: EventStore) -> float:
    """Write one of the traces ROWS times, each time as that of another session."""
    found = await events.traces(hashlib.sha256(b"").hexdigest(), 1)
    assert not isinstance(found, StoreFailed) and found
    rows = [replace(found[0], id=f"sizes-{n}/trace", session=f"sizes-{n}") for n in range(ROWS)]
    began_s = time.process_time()
    for at in range(0, ROWS, _BATCH):
        assert not isinstance(await events.keep(rows[at]), StoreFailed)
        await events.write(rows[at : at + _BATCH])
    assert not isinstance(await events.counts(), StoreFailed)  # answered when all rows are written
    return ROWS / (time.process_time() - began_s)


async def measure() -> dict[str, Any]:
    tokenizer = ChatTokenizer(str(FOLDER))
    engine = SyntheticEngine(answers(tokenizer), 0.002)
    service = Service(engine, tokenizer)
    found = await frame_bytes(service)
    before = service.sessions._store.size
    found["event_bytes"] = await event_bytes(service)
    found["journal_bytes_per_session"] = (service.sessions._store.size - before) / SESSIONS
    await service._ingress.events.settled()
    stored = sum(file.stat().st_size for file in service.state.rglob("*") if file.is_file())
    found["traces_per_s_per_core"] = await traces_per_s_per_core(service._events)
    await service.close()
    engine.stop()
    segments, each = telemetry_load.REPORT
    return {
        **found,
        "signal_bytes_per_token": len(telemetry_load.report()) / (segments * each),
        "stored_bytes_per_session": stored / SESSIONS,
        "sessions": SESSIONS,
        "tokens_per_session": TOKENS,
    }


def main() -> None:
    write("sizes", asyncio.run(measure()))


if __name__ == "__main__":
    main()
