"""Events leave as they come, long ones in pieces."""

from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response

from deployments.http.event_stream import EventStream


async def _sent(*events: str) -> list[bytes]:
    """The pieces of the body that are sent."""

    async def written() -> AsyncGenerator[str, None]:
        for event in events:
            yield event

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    stream = EventStream(written(), {}, 60.0, lambda error: Response(status_code=500), lambda error: ())
    await stream.stream_response(send)
    return [message["body"] for message in sent if message["type"] == "http.response.body" and message["body"]]


async def test_each_event_is_a_piece() -> None:
    assert await _sent("data: é\n\n", "data: b\n\n") == ["data: é\n\n".encode(), b"data: b\n\n"]


async def test_a_long_event_is_several_pieces() -> None:
    event = "data: " + "é" * 1_200_000 + "\n\n"
    pieces = await _sent(event)
    assert b"".join(pieces) == event.encode()
    assert max(map(len, pieces)) <= 1_000_000
