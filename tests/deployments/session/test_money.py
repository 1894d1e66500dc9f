"""What an answer has cost: the trace and the book of budgets say the same, however it ends and whatever is told."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.handles import Handle
from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from deployments.session.budgeted_engines import BudgetedEngines
from ghostrouter.access.budget import nano
from ghostrouter.config import CloudModel, LocalModel, Sessions
from ghostrouter.policy import cost
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Session
from ghostrouter.types import Frame, Plan, Sampling, SegmentEnd, SegmentKey, SegmentRequest
from tests.deployments.session.test_budgeted_engines import CHAT, PRICE, BudgetedService, ask
from tests.make import tokens

BUDGETS = {"limits": [{"scope": "provider", "name": "custom", "window": "day", "usd": 10.0}]}
ONCE = {"cloud_attempts": 1, "retry_base_s": 0.0}
EVENTS = {"content-type": "text/event-stream"}
LONG = "A provider may send many words in one event. " * 20


def chunk(text: str = "", finish: str | None = None, **fields: Any) -> bytes:
    told = {"choices": [{"delta": {"content": text}, "finish_reason": finish}], **fields}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def usage(prompt: Any, completion: Any, **fields: Any) -> bytes:
    told = {"prompt_tokens": prompt, "completion_tokens": completion, **fields}
    return b"data: " + json.dumps({"choices": [], "usage": told}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


class Paid(BudgetedService):
    """A service whose provider answers over HTTP, by `handler`."""

    def __init__(self, folder: Path, handler: Callable[[httpx.Request], Any], **far: Any) -> None:
        super().__init__(folder, far, budgets=BUDGETS, sessions=ONCE)
        row = {"name": "far", "base_url": "http://far.example/v1", "model": "far", "context_tokens": 8192, **far}
        self.pool = CloudPool(
            CloudSettings([CloudModel.model_validate({"price": PRICE, **row})], Sessions()),
            runtime=CloudRuntime(lambda *metric, **labels: None, transport=httpx.MockTransport(handler)),
        )
        engines: Any = self.ingress._engines
        engines._cloud = Handle(self.pool).options(stream=True, method_name="generate")

    async def spent(self) -> int:
        """Nano-dollars; nothing is set aside any more."""
        await self.settled()
        ledger: Any = self.quotas._ledger
        assert ledger.open() == 0
        return sum(state.spent for state in ledger.states().values())

    async def told(self) -> dict[str, Any]:
        """The trace of the one session there was."""
        await self.ingress.events.settled()
        (listed,) = (await self.get("/v1/traces")).json["data"]
        found: dict[str, Any] = (await self.get(f"/v1/traces/{listed['id']}")).json
        return found


def says(*parts: bytes) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(200, headers=EVENTS, content=b"".join(parts))


async def test_a_stream_that_breaks_off_is_counted_by_its_words(tmp_path: Path) -> None:
    service = Paid(tmp_path, says(chunk(LONG)))
    assert (await service.post(CHAT, ask())).status == 503
    told = await service.told()
    assert told["estimated"] and told["segments"][0]["usage"]["completion_tokens"] >= len(LONG) // 4
    assert await service.spent() == nano(told["cost_usd"])


class Halting(httpx.AsyncByteStream):
    """Sends its parts and then nothing more."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        await asyncio.Event().wait()


async def test_so_is_one_that_its_client_leaves(tmp_path: Path) -> None:
    service = Paid(tmp_path, lambda r: httpx.Response(200, headers=EVENTS, stream=Halting([chunk(LONG)])))
    await service.post(CHAT, ask(stream=True), leave_after=2)
    assert await service.spent() >= len(LONG) // 4 * 10_000


@pytest.mark.parametrize(
    "handler",
    [
        lambda r: httpx.Response(500),
        lambda r: httpx.Response(429, headers={"retry-after": "100"}),
        lambda r: httpx.Response(200, headers={"content-type": "text/html"}),
    ],
)
async def test_what_was_not_answered_costs_nothing(
    tmp_path: Path, handler: Callable[[httpx.Request], httpx.Response]
) -> None:
    service = Paid(tmp_path, handler)
    assert (await service.post(CHAT, ask())).status == 503
    assert (await service.told())["cost_usd"] == 0
    assert await service.spent() == 0


async def test_nor_does_a_model_that_is_left_alone(tmp_path: Path) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    service = Paid(tmp_path, never)
    admission = await service.pool._breakers.admit("far")
    service.pool._breakers.report("far", admission, "bad", 1000.0)
    assert (await service.post(CHAT, ask())).status == 503
    assert (await service.told())["cost_usd"] == 0
    assert await service.spent() == 0


async def test_usage_that_is_not_told_is_counted_by_words_for_the_client_too(tmp_path: Path) -> None:
    service = Paid(tmp_path, says(chunk(LONG), chunk("", "stop"), DONE))
    body = (await service.post(CHAT, ask(max_tokens=4000))).json
    assert body["ghost"]["estimated"]
    assert body["usage"]["completion_tokens"] >= len(LONG) // 4
    assert await service.spent() == nano(body["ghost"]["cost_usd"])


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (usage(100, 50), 100 + 500),
        (usage(100, 50, prompt_tokens_details={"cached_tokens": 900}), 100 + 500),
        (usage(100, 50, completion_tokens_details={"reasoning_tokens": 900}), 100 + 500),
        (usage(100, 50, completion_tokens_details={"reasoning_tokens": -900}), 100 + 500),
        (usage(100, 50, prompt_tokens_details={"cached_tokens": -900}), 100 + 500),
        (usage(-100, 50), 6 + 500),  # no prompt has no tokens: it is estimated
    ],
)
async def test_no_usage_gives_money_back(tmp_path: Path, told: bytes, counted: int) -> None:
    price = PRICE | {"cached_usd_per_mtok": 1.0, "reasoning_usd_per_mtok": 10.0}
    service = Paid(tmp_path, says(chunk("so", "stop"), told, DONE), price=price)
    body = (await service.post(CHAT, ask())).json
    assert await service.spent() == nano(body["ghost"]["cost_usd"]) == counted * 1_000


@pytest.mark.parametrize("absurd", [10**30, 1e400, "many", [1]])
async def test_absurd_usage_breaks_no_book(tmp_path: Path, absurd: Any) -> None:
    service = Paid(tmp_path, says(chunk("so", "stop"), usage(absurd, 5), DONE))
    answer = await service.post(CHAT, ask())
    assert answer.json["choices"][0]["message"]["content"] == "so"
    assert await service.spent() > 0


TOOL = {"type": "function", "function": {"name": "f", "description": "what it is for " * 400}}
SCHEMA = {"name": "s", "schema": {"type": "object", "description": "what it holds " * 400}}
PICTURE = [
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    {"type": "text", "text": "?"},
]


@pytest.mark.parametrize(
    ("asked", "at_least"),
    [
        ({"tools": [TOOL]}, 1_500),
        ({"response_format": {"type": "json_schema", "json_schema": SCHEMA}}, 1_400),
        ({"messages": [{"role": "user", "content": PICTURE}]}, 48_000),
    ],
)
async def test_tools_schemas_and_pictures_are_set_aside_too(
    tmp_path: Path, asked: dict[str, Any], at_least: int
) -> None:
    service = Paid(tmp_path, says(chunk("so", "stop"), usage(100, 50), DONE), tools=True, json_schema=True, vision=True)
    seen: list[int] = []
    reserve = service.quotas.reserve

    async def watched(id: str, names: Any, amount: int) -> Any:
        seen.append(amount)
        return await reserve(id, names, amount)

    quotas: Any = service.quotas
    quotas.reserve = watched
    assert (await service.post(CHAT, ask(**asked))).status == 200
    assert seen[0] >= at_least * 1_000


async def test_reasoning_that_is_dearer_than_the_answer_is_set_aside(tmp_path: Path) -> None:
    price = PRICE | {"reasoning_usd_per_mtok": 40.0, "cached_usd_per_mtok": 2.0}
    told = usage(10, 100, completion_tokens_details={"reasoning_tokens": 90})
    service = Paid(tmp_path, says(chunk("so", "stop"), told, DONE), price=price)
    limits: Any = service.quotas
    limits._limits = [limit.__class__(limit.scope, limit.name, limit.window, 3_000_000) for limit in limits._limits]
    assert (await service.post(CHAT, ask(max_tokens=100))).status == 402  # 100 tokens of reasoning are 0.4 cents


class _Settled:
    """Quotas that note what is settled."""

    lease_s = 60.0

    def __init__(self) -> None:
        self.nano: list[int] = []

    async def reserve(self, reservation: str, names: Any, amount: int) -> bool:
        return True

    def settle(self, reservation: str, nano_usd: int) -> None:
        self.nano.append(nano_usd)


class _Dropping:
    """An engine that has written three tokens more than the answer keeps."""

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        yield Frame(request.key, 0, tokens("ab"), SegmentEnd("handoff", held=tokens("c"), dropped_tokens=3))


async def test_the_book_counts_dropped_tokens_as_the_trace_does() -> None:
    """The trace counted six tokens, the budgets three."""
    model = LocalModel.model_validate({"name": "m", "source": "m", "price": {"completion_usd_per_mtok": 1.0}})
    engines: Any = _Dropping()
    quotas: Any = _Settled()
    request = SegmentRequest(SegmentKey("s", 0), "m", (1, 2), 0, Sampling(max_tokens=9))
    async for _ in BudgetedEngines(engines, {"m": model}, quotas).stream(request):
        pass
    session = Session("s", Ask((), Sampling(max_tokens=9), True), Plan(("m",), ""), 0.0)
    session.open("m", (1, 2), 0.0)
    session.accept(
        Frame(SegmentKey("s", 0), 0, tokens("ab"), SegmentEnd("handoff", tokens("c"), dropped_tokens=3)), 0.0
    )
    cost.bill(session.current, {"m": model.price})
    assert quotas.nano == [nano(session.current.cost_usd or 0.0)] == [6_000]
