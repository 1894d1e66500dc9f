"""A provider that costs next to nothing: fixed answers from prepared bytes, for benches of gateways.

    python -m bench.fixed_upstream PORT

The model `instant` sends its 8 deltas at once, in one write. The model `paced` sends 64 deltas, one every 20 ms. Both
speak OpenAI's chat completions, streamed, over HTTP/1.1 with kept connections. `bench/upstream.py` is the provider that
can also break.
"""

import asyncio
import json
import sys
from typing import Any

INSTANT = ("Mira", " was", " a", " baker", " in", " Tarvik", ".", " She")
PACED = tuple(f" word{i:02d}" for i in range(64))
ANSWERS = {"instant": INSTANT, "paced": PACED}
PERIOD_S = 0.02
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST = b"0\r\n\r\n"


def _chunk(*events: str) -> bytes:
    data = "".join(f"data: {event}\n\n" for event in events).encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _event(model: str, **parts: Any) -> str:
    told = {"id": "chatcmpl-fixed", "object": "chat.completion.chunk", "created": 1764000000, "model": model}
    return json.dumps({**told, **parts})


def _choice(model: str, delta: dict[str, str], finish: str | None = None) -> str:
    return _event(model, choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def _writes(model: str) -> list[bytes]:
    """What is written, turn by turn. The first turn brings the first delta, the last one the end."""
    words = ANSWERS[model]
    usage = {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9 + len(words)}
    begin = _HEAD + _chunk(_choice(model, {"role": "assistant", "content": ""}))
    deltas = [_chunk(_choice(model, {"content": word})) for word in words]
    end = _chunk(_choice(model, {}, "stop")) + _chunk(_event(model, choices=[], usage=usage)) + _chunk("[DONE]") + _LAST
    if model == "instant":
        return [begin + b"".join(deltas) + end]
    return [begin + deltas[0], *deltas[1:-1], deltas[-1] + end]


_WRITES = {model: _writes(model) for model in ANSWERS}
_REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Provider(asyncio.Protocol):
    """One connection, one answer at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0) if found else 0
        if not found or len(body) < length:
            return
        self._received = body[length:]
        try:
            writes = _WRITES[json.loads(body[:length])["model"]]
        except (ValueError, KeyError, TypeError):
            writes = [_REFUSED]
        self._write(writes, 0, asyncio.get_running_loop().time())

    def _write(self, writes: list[bytes], turn: int, began_s: float) -> None:
        if self._transport is None or self._transport.is_closing():
            return  # the caller has gone
        self._transport.write(writes[turn])
        if turn + 1 < len(writes):  # at its own times, so that being late once does not make all that follows late
            at_s = began_s + (turn + 1) * PERIOD_S
            asyncio.get_running_loop().call_at(at_s, self._write, writes, turn + 1, began_s)


async def serve(port: int) -> asyncio.Server:
    """Listen on a port; 0 for any that is free."""
    return await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)


async def _main(port: int) -> None:
    async with await serve(port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
