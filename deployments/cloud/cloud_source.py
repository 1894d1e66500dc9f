"""A source of tokens that calls one model of a provider over HTTP."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import httpx

from deployments.cloud.connections import transport_to_others
from deployments.cloud.response_events import checked, drain, read_events, refusal
from deployments.cloud.shared_breakers import Breakers
from deployments.engine.segment_writer import Arrival
from ghostrouter.config import CloudModel, Sessions, api_key
from ghostrouter.errors import ProviderBusy, ProviderRefused, ProviderRejected, SegmentFailed, SegmentPaused
from ghostrouter.events import metrics
from ghostrouter.providers import failure
from ghostrouter.providers.adapters import ADAPTERS
from ghostrouter.providers.breaker import Admission, Outcome
from ghostrouter.providers.segment import CloudSegment
from ghostrouter.providers.sse import Event, EventTooLong
from ghostrouter.types import SegmentRequest, Token

# How long to wait for the rest of a response after the finish reason: the usage, the end, and perhaps more text.
_USAGE_S = 2.0
_END_S = 0.25


class CloudSource:
    """Calls one model of a provider over the provider's client.

    A caller that gives up after `silent_s` without a token counts as a failure of the provider, not as a client that
    has left.
    """

    def __init__(
        self,
        model: CloudModel,
        client: httpx.AsyncClient,
        breakers: Breakers,
        silent_s: float,
        slow_s: float,
        emit: metrics.Emit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._adapter = ADAPTERS[model.kind]
        self._client = client
        self._breakers = breakers
        self._silent_s = silent_s
        self._slow_s = slow_s
        self._emit = emit
        self._clock = clock

    async def arrivals(self, request: SegmentRequest) -> AsyncGenerator[Arrival, None]:
        """The tokens of the model, as they arrive. Closing the iterator closes the connection.

        Raises:
            SegmentFailed: the provider failed before the answer's end, or its breaker is open. The reason names neither
                key nor prompt.
            SegmentPaused: the provider has stopped where it was asked to.
        """
        model = self._model.name
        admission = await self._breakers.admit(model)
        if not admission.admitted:
            self._emit(metrics.CLOUD_CALLS, 1, model=model, outcome="not_admitted")
            raise ProviderBusy(
                f"{model}: its circuit breaker is open after recent failures", admission.retry_after_s
            ).at_no_cost()
        call = _Call(self, request, self._clock())
        try:
            async with aclosing(call.arrivals()) as arrivals:
                async for arrival in arrivals:
                    yield arrival
        except SegmentFailed as error:
            error.usage = error.usage or call.segment.usage
            call.error = error
            raise
        except BaseException as error:
            call.error = error
            raise
        finally:
            self._account(call, admission)

    def _account(self, call: "_Call", admission: Admission) -> None:
        """Report the outcome of a call to breaker and metrics."""
        outcome, asked_s = self._outcome(call)
        self._breakers.report(self._model.name, admission, outcome, asked_s)
        kind = type(call.error).__name__ if isinstance(call.error, SegmentFailed) else outcome
        used = call.segment.usage
        self._emit(metrics.CLOUD_CALLS, 1, model=self._model.name, outcome=kind)
        self._emit(metrics.CLOUD_TOKENS, used.prompt_tokens, model=self._model.name, kind="prompt")
        self._emit(metrics.CLOUD_TOKENS, used.completion_tokens, model=self._model.name, kind="completion")

    def _outcome(self, call: "_Call") -> tuple[Outcome, float | None]:
        """The outcome of a call for the breaker, and for how long the provider asks us to wait."""
        if isinstance(call.error, ProviderBusy):
            return "bad", call.error.retry_after_s
        if isinstance(call.error, ProviderRefused | ProviderRejected):
            return "neither", None
        if isinstance(call.error, SegmentFailed) and not isinstance(call.error, SegmentPaused):
            return "bad", None
        now_s = self._clock()
        first_s = now_s if call.first_at_s is None else call.first_at_s
        if first_s - call.began_s > self._slow_s or now_s - call.heard_at_s >= self._silent_s:
            return "bad", None
        return ("neither", None) if call.error and call.first_at_s is None else ("good", None)

    def _post(self, request: SegmentRequest) -> httpx.Request:
        assert request.cloud is not None  # noqa: S101 - the pool has looked
        body = self._adapter.to_wire(self._model, request.cloud, request.sampling)
        headers = {"content-type": "application/json", **self._adapter.HEADERS, **dict(request.trace_headers)}
        return self._client.build_request("POST", self._url(), content=_encoded(body), headers=headers)

    def _url(self) -> str:
        return self._model.base_url.rstrip("/") + self._adapter.path(self._model)


def _encoded(body: dict[str, Any]) -> bytes:
    """A body as JSON. Half of a surrogate pair can only be sent escaped; then everything but ASCII is escaped."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(body, allow_nan=False).encode()


class _Call:
    """One request and its state. Times are on the source's clock."""

    def __init__(self, source: CloudSource, request: SegmentRequest, now_s: float) -> None:
        assert request.cloud is not None  # noqa: S101 - the pool has looked
        self._source = source
        self._request = request
        self._name = source._model.name
        self.segment = CloudSegment(
            source._model, request.cloud, request.sampling, request.scripted_end, now_s, request.key
        )
        self.began_s = self.heard_at_s = now_s
        self.first_at_s: float | None = None
        self.error: BaseException | None = None

    async def arrivals(self) -> AsyncGenerator[Arrival, None]:
        segment = self.segment
        async with aclosing(self._events()) as parts:
            tokens: list[Token] = []
            while not segment.over and (events := await self._next(parts)) is not None:
                tokens, broken = self._read(events)
                if broken and segment.finish:  # one event is a complete answer; what follows does not matter
                    break
                if tokens and not segment.over:
                    yield self._arrival(tokens)
                    tokens = []
                if broken:
                    raise _of(self._name, broken)
            if not segment.finish:
                raise SegmentFailed(f"{self._name}: the stream broke off")
            tokens += segment.close(self._source._clock())
            if segment.over:
                await drain(parts)
            if not segment.paused:
                yield Arrival(tokens, segment.finish, segment.usage.cached_tokens, segment.usage)
                return
            yield self._arrival(tokens)._replace(pauses=True)
            raise SegmentPaused(f"{self._name} was asked to stop after a sentence")

    async def _next(self, parts: AsyncGenerator[list[Event], None]) -> list[Event] | None:
        """The next events; None if there are no more, or if a finished answer need not wait for more."""
        ended = self.segment.finish is not None
        patience_s = (_USAGE_S if self.segment.awaits_usage else _END_S) if ended else None
        try:
            async with asyncio.timeout(patience_s):
                return await anext(parts, None)
        except TimeoutError:
            return None
        except SegmentFailed:
            if not ended:
                raise
            return None

    def _arrival(self, tokens: Sequence[Token]) -> Arrival:
        used = self.segment.usage
        return Arrival(tokens, None, used.cached_tokens, used)

    def _read(self, events: Sequence[Event]) -> tuple[list[Token], SegmentFailed | None]:
        """The tokens of some events, up to the segment's end or to the event that failed."""
        tokens: list[Token] = []
        self.heard_at_s = self._source._clock()
        for event in events:
            try:
                tokens += self.segment.push(event, self.heard_at_s)
            except SegmentFailed as failed:
                return tokens, failed
            if self.segment.over:
                break
        if tokens and self.first_at_s is None:
            self.first_at_s = self.heard_at_s
        return tokens, None

    async def _events(self) -> AsyncGenerator[list[Event], None]:
        """The events of the answer, as many at a time as arrive together."""
        response = None
        try:
            response = await self._source._client.send(self._source._post(self._request), stream=True)
            if broken := await refusal(response):
                raise _of(self._name, broken).at_no_cost()
            kind = failure.media_type(response.headers.get("content-type", ""))
            doubt = failure.of_content_type(kind)
            async for events in read_events(kind, checked(response, doubt and _of(self._name, doubt).at_no_cost())):
                yield events
        except EventTooLong:
            raise SegmentFailed(f"{self._name}: an event is larger than 4 MB") from None
        except httpx.ConnectError as error:
            raise SegmentFailed(f"{self._name}: {type(error).__name__}").at_no_cost() from None
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeError) as error:
            # Not chained: httpx's errors hold the request, key and prompt included.
            raise SegmentFailed(f"{self._name}: {type(error).__name__}") from None
        finally:
            if response is not None:
                await response.aclose()


def _of(name: str, failure: SegmentFailed) -> SegmentFailed:
    """The failure, with the model's name in it."""
    return type(failure)(*(f"{name}: {failure}", *failure.args[1:]))


def make_client(
    model: CloudModel, sessions: Sessions, tls: ssl.SSLContext, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """The client of a model's provider. The key is only in a header. Redirects are not followed.

    Raises:
        ConfigError: the variable that should hold the key is not set.
    """
    key = api_key(model)
    bearer = model.key_header == "authorization"
    return httpx.AsyncClient(
        # Compressed, a few bytes could become any number.
        headers={"accept": "text/event-stream", "accept-encoding": "identity"}
        | ({model.key_header: f"Bearer {key}" if bearer else key} if key else {}),
        timeout=httpx.Timeout(max(sessions.first_token_s, sessions.stall_s)),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        follow_redirects=False,
        verify=tls,
        transport=transport or transport_to_others(tls),
        trust_env=True,
    )
