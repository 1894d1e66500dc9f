"""One contract for every row of the catalogue: the real pool, on recorded shapes."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from ghostrouter.catalog.rows import Provider, providers
from ghostrouter.config import Breakers, CloudModel, Sessions
from ghostrouter.conversation import Features, Image, Message, Schema, Tool, ToolCall
from ghostrouter.errors import ConfigError, ProviderBusy, ProviderRefused, ProviderRejected, SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Frame, ReasoningPart, Sampling, SegmentKey, SegmentRequest, Token, ToolCallPart
from tests.providers import recorded

KEY = "planted-key-7f3a91"
ROWS = list(providers().values())
PNG = "data:image/png;base64,iVBORw0KGgo="
TOOL = Tool("look_up", "Looks a person up.", {"type": "object", "properties": {"name": {"type": "string"}}})
ASKED = (Message("system", "Be brief."), Message("user", "Who was Mira?"))
by_name = pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)

Handler = Callable[[httpx.Request], httpx.Response]


def model(row: Provider, **fields: Any) -> CloudModel:
    base = {"base_url": f"http://{row.name}.example/v1"} if row.base_url is None else {}
    return CloudModel.model_validate({"provider": row.name, "model": "m-1"} | base | fields)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in ROWS:
        for variable in row.key_env[:1]:
            monkeypatch.setenv(variable, KEY)


class Asked:
    """What a pool over one model sent, and what came of it."""

    def __init__(self, target: CloudModel, handler: Handler, breakers: Breakers | None = None) -> None:
        self.requests: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return handler(request)

        self.target = target
        self.pool = CloudPool(
            CloudSettings([target], Sessions(), breakers or Breakers()),
            runtime=CloudRuntime(lambda *metric, **labels: None, transport=httpx.MockTransport(handle)),
        )

    async def frames(
        self,
        written: str = "",
        messages: tuple[Message, ...] = ASKED,
        features: Features | None = None,
        **sampling: Any,
    ) -> list[Frame]:
        prompt = cloud_prompt(self.target, messages, False, written, features or Features())
        request = SegmentRequest(SegmentKey("s", 0), self.target.name, (), 0, Sampling(max_tokens=100), cloud=prompt)
        return [frame async for frame in self.pool.write(request)]

    @property
    def body(self) -> Any:
        return json.loads(self.requests[-1].content)


def events(body: bytes, parts: int = 7) -> Handler:
    """An answer that comes in pieces of so many bytes."""

    async def pieces() -> AsyncIterator[bytes]:
        for i in range(0, len(body), parts):
            yield body[i : i + parts]

    return lambda request: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=pieces())


def recorded_text(row: Provider) -> bytes:
    if row.kind == "anthropic":
        return recorded.anthropic_text()
    return recorded.gemini_text() if row.kind == "gemini" else recorded.openai_text(row.name, row.reasoning_field)


def tokens(frames: list[Frame]) -> list[Token]:
    return [t for f in frames for t in f.tokens]


@by_name
async def test_an_answer(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    frames = await asked.frames()
    end = frames[-1].end
    assert end is not None
    assert "".join(t.text for t in tokens(frames)) == "".join(recorded.TEXT)
    thoughts = "".join(t.aside.text for t in tokens(frames) if isinstance(t.aside, ReasoningPart))
    assert thoughts == (recorded.THOUGHT if row.reasoning_field or row.kind != "openai" else "")
    assert end.reason == "stop"
    assert end.usage is not None
    assert (end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.cached_tokens) == recorded.USED
    assert not end.usage.estimated
    assert end.usage.reasoning_tokens == (0 if row.kind == "anthropic" else 2)
    await asked.pool.close()


@by_name
async def test_the_key_is_in_a_header_only(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    await asked.frames()
    request = asked.requests[0]
    said = {k: v for k, v in request.headers.items() if KEY in v}
    bearer = row.key_header == "authorization"
    assert said == ({row.key_header: f"Bearer {KEY}" if bearer else KEY} if row.key_env else {})
    assert KEY not in str(request.url) + request.content.decode()
    await asked.pool.close()


@by_name
async def test_an_answer_that_has_begun(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    await asked.frames(written="Mira Voss ")
    sent = json.dumps(asked.body)
    assert "Mira Voss" in sent
    instructed = "cut off" in sent
    assert instructed is (row.continues == "instruct")
    if row.continues == "prefix":
        assert asked.body["messages"][-1] == {"role": "assistant", "content": "Mira Voss", "prefix": True}
    if row.kind == "anthropic":
        last = {"role": "assistant", "content": [{"type": "text", "text": "Mira Voss"}]}
        assert asked.body["messages"][-1] == last
    await asked.pool.close()


CALLS = {"openai": recorded.openai_call, "anthropic": recorded.anthropic_call, "gemini": recorded.gemini_call}
REFUSALS = {
    "openai": recorded.openai_refusal,
    "anthropic": recorded.anthropic_refusal,
    "gemini": recorded.gemini_refusal,
}


@pytest.mark.parametrize("row", [r for r in ROWS if r.tools], ids=lambda r: r.name)
async def test_a_tool_call(row: Provider) -> None:
    asked = Asked(model(row), events(CALLS[row.kind]()))
    frames = await asked.frames(features=Features((TOOL,), "look_up"))
    parts = [t.aside for t in tokens(frames) if isinstance(t.aside, ToolCallPart)]
    assert {p.number for p in parts} == {0}
    assert "".join(p.name for p in parts) == "look_up"
    assert json.loads("".join(p.arguments for p in parts)) == {"name": "Mira"}
    assert parts[0].id
    assert frames[-1].end is not None
    assert frames[-1].end.reason == "tool_calls"
    assert "Looks a person up." in json.dumps(asked.body["tools"])
    await asked.pool.close()


@pytest.mark.parametrize("row", [r for r in ROWS if r.tools and r.kind != "gemini"], ids=lambda r: r.name)
async def test_a_tool_whose_schema_is_kept_to_strictly(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    await asked.frames(features=Features((replace(TOOL, strict=True),)))
    told = asked.body["tools"][0]
    assert told.get("function", told)["strict"] is True


async def test_gemini_keeps_to_the_schemas_of_strict_tools_by_its_mode() -> None:
    asked = Asked(model(providers()["gemini"]), events(recorded.gemini_text()))
    for strict, mode in ((True, "VALIDATED"), (None, "AUTO")):
        await asked.frames(features=Features((replace(TOOL, strict=strict),)))
        assert asked.body["toolConfig"]["functionCallingConfig"]["mode"] == mode
    await asked.pool.close()


@pytest.mark.parametrize("row", [r for r in ROWS if r.kind == "openai"], ids=lambda r: r.name)
async def test_who_speaks(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    await asked.frames(messages=(Message("user", "Who was Mira?", name="Ann"),))
    assert asked.body["messages"][0]["name"] == "Ann"


@pytest.mark.parametrize("row", [r for r in ROWS if r.tools], ids=lambda r: r.name)
async def test_what_a_tool_answered(row: Provider) -> None:
    call = ToolCall("call_1", "look_up", '{"name": "Mira"}')
    turns = (*ASKED, Message("assistant", "", (), (call,)), Message("tool", "a baker", tool_call_id="call_1"))
    asked = Asked(model(row), events(recorded_text(row)))
    await asked.frames(messages=turns, features=Features((TOOL,)))
    *_, called, last = asked.body.get("contents") or asked.body["messages"]
    id = called["tool_calls"][0]["id"] if row.kind == "openai" else "call_1"
    assert re.fullmatch(row.call_ids or "call_1", id)  # a provider that wants other ids gets others
    assert (
        last
        == {
            "openai": {"role": "tool", "content": "a baker", "tool_call_id": id},
            "anthropic": {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "a baker"}],
            },
            "gemini": {
                "role": "user",
                "parts": [{"functionResponse": {"name": "look_up", "response": {"result": "a baker"}}}],
            },
        }[row.kind]
    )
    await asked.pool.close()


@pytest.mark.parametrize("row", [r for r in ROWS if r.kind == "gemini"], ids=lambda r: r.name)
@pytest.mark.parametrize("thinks", [True, False])
async def test_calls_whose_signature_is_lost_are_marked_for_models_that_think(row: Provider, thinks: bool) -> None:
    calls = (ToolCall("call_1", "look_up", "{}"), ToolCall("call_2", "look_up", "{}"))
    answers = tuple(Message("tool", "a baker", tool_call_id=c.id) for c in calls)
    asked = Asked(model(row, reasons=thinks), events(recorded_text(row)))
    await asked.frames(messages=(*ASKED, Message("assistant", "", (), calls), *answers), features=Features((TOOL,)))
    first, second = asked.body["contents"][1]["parts"]
    assert ("thoughtSignature" in first) is thinks
    assert second == {"functionCall": {"name": "look_up", "args": {}}}
    await asked.pool.close()


@pytest.mark.parametrize("choice", ["auto", "required", "look_up"])
async def test_tools_may_need_fields_of_their_own(choice: str) -> None:
    row = providers()["openai"]
    fields = {"reasoning_effort": "none"}
    asked = Asked(model(row, tool_fields=fields), events(recorded_text(row)))
    await asked.frames()
    assert "reasoning_effort" not in asked.body
    await asked.frames(features=Features((TOOL,), choice))
    assert asked.body["reasoning_effort"] == "none"
    named = {"type": "function", "function": {"name": "look_up"}}
    assert asked.body.get("tool_choice") == {"auto": None, "required": "required", "look_up": named}[choice]
    called = Message("assistant", "", (), (ToolCall("call_1", "look_up", "{}"),))
    await asked.frames(messages=(*ASKED, called, Message("tool", "a baker", tool_call_id="call_1")))
    assert asked.body["reasoning_effort"] == "none"
    await asked.pool.close()


@pytest.mark.parametrize("row", [r for r in ROWS if r.vision], ids=lambda r: r.name)
async def test_a_picture(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    turn = Message("user", "Who is this?", ("Who is this?", Image(PNG)))
    await asked.frames(messages=(turn,))
    sent = (asked.body.get("contents") or asked.body["messages"])[-1]
    assert (
        sent.get("parts", sent.get("content"))[-1]
        == {
            "openai": {"type": "image_url", "image_url": {"url": PNG}},
            "anthropic": {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
            },
            "gemini": {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        }[row.kind]
    )
    await asked.pool.close()


@pytest.mark.parametrize("row", [r for r in ROWS if r.json_schema], ids=lambda r: r.name)
async def test_a_schema(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    schema = {"type": "object", "properties": {"born": {"type": "integer"}}}
    await asked.frames(features=Features(schema=Schema("person", schema, True)))
    if row.kind == "gemini":
        assert asked.body["generationConfig"]["responseJsonSchema"] == schema
    elif row.kind == "anthropic":
        assert asked.body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    else:
        wanted = {"name": "person", "schema": schema, "strict": True}
        assert asked.body["response_format"] == {"type": "json_schema", "json_schema": wanted}
    await asked.pool.close()


@pytest.mark.parametrize("row", [r for r in ROWS if r.json_object], ids=lambda r: r.name)
async def test_any_json_object(row: Provider) -> None:
    asked = Asked(model(row), events(recorded_text(row)))
    await asked.frames(features=Features(json_object=True))
    if row.kind == "gemini":
        settings = asked.body["generationConfig"]
        assert (settings["responseMimeType"], "responseJsonSchema" in settings) == ("application/json", False)
    else:
        assert asked.body["response_format"] == {"type": "json_object"}
    await asked.pool.close()


@by_name
async def test_a_refusal_is_told_from_a_failure(row: Provider) -> None:
    asked = Asked(model(row), events(REFUSALS[row.kind]()), Breakers(min_calls=1))
    for _ in range(3):
        with pytest.raises(ProviderRefused):
            await asked.frames()
    assert len(asked.requests) == 3  # no breaker opened
    await asked.pool.close()


@by_name
async def test_usage_that_is_not_told_is_estimated(row: Provider) -> None:
    untold = model(row, stream_usage="none")
    body = recorded.openai_text("none", None) if row.kind == "openai" else recorded_text(row)
    cut = body.replace(b'"usage"', b'"other"').replace(b'"usageMetadata"', b'"other"')
    asked = Asked(untold, events(cut, 1 << 20))
    frames = await asked.frames()
    end = frames[-1].end
    assert end is not None
    assert isinstance(end.usage, Usage)
    if row.kind != "anthropic":  # there it is part of the first and the last event
        assert end.usage.estimated
    assert end.usage.completion_tokens > 0
    assert end.usage.prompt_tokens > 0
    await asked.pool.close()


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"data: " + b"x" * 65536


def plain(status: int, body: bytes = b"", **headers: str) -> Handler:
    told = {k.replace("_", "-"): v for k, v in headers.items()}
    return lambda request: httpx.Response(status, headers=told, content=body)


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"cannot reach it with {request.headers}")


def quoted(request: httpx.Request) -> httpx.Response:
    """What some providers do: the key and the prompt in the message."""
    error = {"message": f"Incorrect API key: {dict(request.headers)} {request.content!r}", "code": "invalid_api_key"}
    return httpx.Response(401, json={"error": error})


ERRORS: list[tuple[str, Handler, type[SegmentFailed], str]] = [
    ("html", plain(200, b"<html>Welcome</html>", content_type="text/html"), ProviderRejected, "instead of events"),
    ("html 404", plain(404, b"<html>Not found</html>", content_type="text/html"), ProviderRejected, "check model"),
    ("redirect", plain(302, location="https://evil.example/v1"), ProviderRejected, "not followed"),
    (
        "endless line",
        lambda r: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=endless()),
        SegmentFailed,
        "larger than 4 MB",
    ),
    ("no utf-8", plain(200, b"data: {\xff\xfe\n\n", content_type="text/event-stream"), SegmentFailed, "malformed"),
    ("no json", plain(200, b"data: {\n\n", content_type="text/event-stream"), SegmentFailed, "malformed"),
    ("nothing", plain(200, b"", content_type="text/event-stream"), SegmentFailed, "broke off"),
    ("no connection", broken, SegmentFailed, "ConnectError"),
    ("key refused", quoted, ProviderRejected, r"401 \(invalid_api_key\)"),
    ("overloaded", plain(503), SegmentFailed, "503"),
    ("rate limit", plain(429, retry_after="7"), ProviderBusy, "429"),
]


@by_name
@pytest.mark.parametrize(("handler", "kind", "words"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS])
async def test_what_is_no_answer(
    row: Provider, handler: Handler, kind: type[SegmentFailed], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = Asked(model(row), handler)
    with pytest.raises(SegmentFailed, match=words) as failure:
        await asked.frames()
    assert type(failure.value) is kind
    assert str(failure.value).startswith(f"{row.name}/m-1: ")
    told = caplog.text + str(failure.value) + repr(failure.value) + repr(failure.value.__cause__)
    assert KEY not in told
    assert "evil" not in str(failure.value)
    assert "Mira" not in str(failure.value)
    await asked.pool.close()


@by_name
def test_a_missing_key_is_named(row: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in row.key_env:
        monkeypatch.delenv(variable, raising=False)
    target = model(row)
    if row.key_env:
        with pytest.raises(ConfigError, match=row.key_env[0]):
            CloudPool(CloudSettings([target], Sessions()), runtime=CloudRuntime(lambda *metric, **labels: None))


@pytest.mark.parametrize("key", ["sk-planted one", "sk-planted\none", "sk-planted\u2019", "sk-planted\x7f"])
def test_what_is_no_key_is_not_repeated(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY has blanks or") as refusal:
        CloudPool(
            CloudSettings([model(providers()["openai"])], Sessions()),
            runtime=CloudRuntime(lambda *metric, **labels: None),
        )
    assert "planted" not in str(refusal.value)


async def test_one_of_a_hundred_waiting_callers_is_the_probe() -> None:
    clock = [0.0]
    released = asyncio.Event()
    row = providers()["openai"]

    async def late() -> AsyncIterator[bytes]:
        await released.wait()
        yield recorded_text(row)

    answers: list[Handler] = [plain(500)] * 4
    asked = Asked(
        model(row),
        lambda r: (
            answers.pop()(r)
            if answers
            else httpx.Response(200, headers={"content-type": "text/event-stream"}, content=late())
        ),
        Breakers(min_calls=4, open_s=10),
    )
    asked.pool._breakers._clock = lambda: clock[0]  # type: ignore[attr-defined]
    for _ in range(4):
        with pytest.raises(SegmentFailed, match="500"):
            await asked.frames()
    with pytest.raises(ProviderBusy, match="circuit breaker is open"):
        await asked.frames()
    clock[0] = 11.0
    callers = [asyncio.create_task(asked.frames()) for _ in range(100)]
    turned_away = answered = 0
    for caller in asyncio.as_completed(callers):
        try:
            answered += bool(await caller)
        except ProviderBusy:
            turned_away += 1
        if turned_away == 99:
            released.set()
    assert answered == 1
    assert len(asked.requests) == 5
    assert await asked.frames()  # closed again
    await asked.pool.close()


async def test_ten_megabytes_of_headers_are_not_read_to_the_end() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(ConnectionError):
            for i in range(10_000):
                writer.write(b"x-%d: " % i + b"y" * 1000 + b"\r\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = CloudModel.model_validate({"provider": "vllm", "model": "m", "base_url": f"http://127.0.0.1:{port}/v1"})
    pool = CloudPool(CloudSettings([target], Sessions()), runtime=CloudRuntime(lambda *metric, **labels: None))
    prompt = cloud_prompt(target, ASKED, False, "")
    request = SegmentRequest(SegmentKey("s", 0), target.name, (), 0, Sampling(max_tokens=9), cloud=prompt)
    with pytest.raises(SegmentFailed, match=r"vllm/m: [A-Z][A-Za-z]+Error$"):
        _ = [frame async for frame in pool.write(request)]
    await pool.close()
    server.close()
    await server.wait_closed()


async def test_reasoning_is_read_from_the_field_that_the_row_names() -> None:
    row = providers()["openai"]
    asked = Asked(model(row, reasoning_field="my_thoughts"), events(recorded.openai_text("none", "my_thoughts")))
    frames = await asked.frames()
    assert [t.aside for t in tokens(frames) if t.aside] == [ReasoningPart(recorded.THOUGHT)]
    await asked.pool.close()
