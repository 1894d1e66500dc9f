"""Reads the response of a provider: its events, or the failure that it stands for."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

import httpx

from deployments.cloud.decoded_response import decoded, is_known
from ghostrouter.errors import SegmentFailed
from ghostrouter.providers import failure
from ghostrouter.providers.chunk import read_json
from ghostrouter.providers.sse import MOST_EVENT_BYTES, Event, EventTooLong, SseParser
from ghostrouter.providers.sse import decoded as as_text

# How long to wait for the response's last bytes. Only a response that is read completely frees its connection.
_DRAIN_S = 0.05
_MOST_ERROR_BYTES = 65_536
_ERROR_S = 2.0
# How events begin, or an answer in JSON.
_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:(?:data|event|id|retry)?:|[{\[])")
_BEGINNING_BYTES = 16
# White space and the bytes of a byte order mark.
_BLANK = b" \t\r\n\xef\xbb\xbf"


async def checked(response: httpx.Response, doubt: SegmentFailed | None) -> AsyncGenerator[bytes, None]:
    """The body. Raises `doubt`, which the content type has raised, unless it begins as events or JSON do."""
    head = b""
    async for part in decoded(response):
        if doubt is None:
            yield part
            continue
        head += part
        if len(head) >= _BEGINNING_BYTES:
            if not _BEGINNING.match(head):
                raise doubt
            doubt = None
            yield head
    if doubt is not None:
        raise doubt


async def read_events(kind: str, parts: AsyncIterator[bytes]) -> AsyncGenerator[list[Event], None]:
    """The events of a body. A JSON body instead of a stream counts as one event, a JSON list as several."""
    may_be_json = kind in ("application/json", "text/event-stream", "text/html")
    parser, body = SseParser(bare=kind != "text/event-stream"), bytearray()
    async for part in parts:
        begun = part.lstrip(_BLANK)
        if body or (may_be_json and begun[:1] in (b"{", b"[")):
            body += part
            if len(body) > MOST_EVENT_BYTES:
                raise EventTooLong
            continue
        may_be_json = may_be_json and not begun  # only the beginning tells
        if events := parser.push(part):
            yield events
    if body:
        yield _whole(bytes(body))
    elif (last := parser.close()) and _is_whole(last):
        yield [last]


def _whole(body: bytes) -> list[Event]:
    """The events of a JSON body: the body itself, or the elements of its list."""
    text = as_text(body).removeprefix("\ufeff").strip()
    try:
        told = read_json(text)
    except (ValueError, RecursionError):  # perhaps a line for each event, or a list that lacks its end
        events = (Event(line.strip().removeprefix("[").rstrip(",]")) for line in text.split("\n"))
        return [event for event in events if _is_whole(event)]
    return [Event(json.dumps(t)) for t in told] if isinstance(told, list) else [Event(text)]


def _is_whole(event: Event) -> bool:
    """Whether the rest of a stream is a complete event that only lacks its closing empty line."""
    try:
        return event.data.strip() == "[DONE]" or isinstance(read_json(event.data), dict)
    except (ValueError, RecursionError):
        return False


async def refusal(response: httpx.Response) -> SegmentFailed | None:
    """The failure that a response stands for; None if it is a stream of events."""
    if response.is_success:
        return None if is_known(response) else failure.of_encoding()
    body = b""
    if not is_known(response):  # no body can be read, so only the status counts
        return failure.of_status(response.status_code, response.headers, body)
    with suppress(TimeoutError, httpx.HTTPError, SegmentFailed):
        async with asyncio.timeout(_ERROR_S):
            async for part in decoded(response):
                body += part
                if len(body) > _MOST_ERROR_BYTES:
                    break
    return failure.of_status(response.status_code, response.headers, body)


async def drain(parts: AsyncGenerator[list[Event], None]) -> None:
    """Read to the end of the response if it comes soon. Only then the connection can be reused."""
    with suppress(TimeoutError, SegmentFailed):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in parts:
                pass
