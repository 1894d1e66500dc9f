"""Models behind somebody else's API, yielding the same frames as local replicas."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress

import httpx

from ghostrouter.config import CloudModel, Sessions, api_key
from ghostrouter.errors import SegmentFailed
from ghostrouter.providers import openai
from ghostrouter.providers.segment import CloudSegment
from ghostrouter.providers.sse import SseParser
from ghostrouter.types import Frame, SegmentRequest, Token

_REPLICA = "cloud"
_DRAIN_S = 0.05


class CloudPool:
    """One HTTP client per provider, for the life of the process.

    How long a provider may be silent is watched over by whoever reads the frames; the client's own timeouts are a
    second line.

    Raises:
        ConfigError: the variable that should hold a provider's key is not set.
    """

    def __init__(
        self, models: Sequence[CloudModel], sessions: Sessions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._models = {m.name: m for m in models}
        self._clock = clock
        providers = {_provider(m): m for m in models}
        self._clients = {p: _client(m, sessions) for p, m in providers.items()}

    async def models(self) -> list[str]:
        """The models that can be asked for."""
        return list(self._models)

    async def close(self) -> None:
        """Give the connections back."""
        for client in self._clients.values():
            await client.aclose()

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Write a segment: a frame for each arrival of events. Closing the iterator closes the connection.

        Raises:
            SegmentFailed: no provider offers the model, or the one that does failed before the answer's end. The
                reason names neither key nor prompt.
        """
        model = self._models.get(request.model)
        if model is None or request.cloud is None:
            raise SegmentFailed(f"no cloud provider offers {request.model}")
        segment = CloudSegment(model, request.cloud, request.sampling, request.scripted_end, self._clock())
        body = openai.to_wire(model, request.cloud, request.sampling)
        sent = 0
        async with aclosing(self._arrivals(model, body)) as arrivals:
            async for events in arrivals:
                tokens, failure = self._read(segment, events)
                if segment.end:
                    await _drain(arrivals)
                if tokens or segment.end:
                    yield Frame(request.key, sent, tuple(tokens), segment.end, _REPLICA if sent == 0 else "")
                    sent += len(tokens)
                if segment.end:
                    return
                if failure:
                    raise SegmentFailed(f"{model.name}: {failure}")
        raise SegmentFailed(f"{model.name}: the stream broke off")

    def _read(self, segment: CloudSegment, events: Sequence[str]) -> tuple[list[Token], SegmentFailed | None]:
        """The tokens of some events, up to the segment's end or to the event that failed."""
        tokens: list[Token] = []
        for event in events:
            try:
                tokens += segment.push(event, self._clock())
            except SegmentFailed as failure:
                return tokens, failure
            if segment.end:
                break
        return tokens, None

    async def _arrivals(self, model: CloudModel, body: dict[str, object]) -> AsyncGenerator[list[str], None]:
        """The data of server-sent events, as many at a time as arrive together."""
        parser = SseParser()
        try:
            async with self._clients[_provider(model)].stream("POST", openai.PATH, json=body) as response:
                if response.status_code != httpx.codes.OK:
                    raise SegmentFailed(f"{model.name}: HTTP {response.status_code}")
                async for part in response.aiter_bytes():
                    if events := parser.push(part):
                        yield events
        except (httpx.HTTPError, httpx.StreamError, UnicodeDecodeError) as error:
            # Not chained: httpx's errors hold the request, key and prompt included.
            raise SegmentFailed(f"{model.name}: {type(error).__name__}") from None


async def _drain(arrivals: AsyncGenerator[list[str], None]) -> None:
    """Read on to the end of the response, if it is near: only then the connection can be used again."""
    with suppress(TimeoutError, SegmentFailed):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in arrivals:
                pass


def _provider(model: CloudModel) -> tuple[str, str | None]:
    """Models with the same provider share its client."""
    return model.base_url, model.api_key_env


def _client(model: CloudModel, sessions: Sessions) -> httpx.AsyncClient:
    key = api_key(model)
    return httpx.AsyncClient(
        base_url=model.base_url,
        headers={"accept": "text/event-stream"} | ({"authorization": f"Bearer {key}"} if key else {}),
        timeout=httpx.Timeout(max(sessions.first_token_s, sessions.stall_s)),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
    )
