"""Prompts of cloud models are redacted in a thread, and what was taken out comes back wherever the model writes it."""

import json
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployments.session import redacted_engines
from deployments.session.redacted_engines import RedactedEngines
from ghostrouter.conversation import Features, Message, Tool, ToolCall
from ghostrouter.errors import SegmentFailed
from ghostrouter.redact.policy import Discretion
from ghostrouter.redact.vault import Vault
from ghostrouter.types import (
    CloudPrompt,
    Frame,
    ReasoningPart,
    Sampling,
    SegmentEnd,
    SegmentKey,
    SegmentRequest,
    Token,
    ToolCallPart,
)
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask
from tests.make import token

MAIL = "anna@example.com"
SCHEMA = {"type": "object", "properties": {"to": {"type": "string", "description": f"such as {MAIL}"}}}
PROMPT = CloudPrompt(
    (
        Message("user", f"Write to {MAIL}", name=MAIL),
        Message("assistant", "", tool_calls=(ToolCall("c", "send", json.dumps({"to": MAIL})),)),
        Message("tool", f"sent to {MAIL}", tool_call_id="c"),
    ),
    "restart",
    "",
    10,
    features=Features(tools=(Tool("send", f"writes to {MAIL}", SCHEMA),)),
)
KEY = SegmentKey("s", 0)
REQUEST = SegmentRequest(KEY, "far", (), 0, Sampling(100), cloud=PROMPT)
MODELS: Any = {"far": SimpleNamespace(trust="standard"), "near": SimpleNamespace(trust="trusted")}


def tool(arguments: str) -> Token:
    return token("")._replace(aside=ToolCallPart(0, arguments=arguments))


class Engines:
    """Writes some tokens, one in each frame, and then a frame without any, or fails."""

    def __init__(self, tokens: list[Token], fails: bool = False) -> None:
        self.asked: list[SegmentRequest] = []
        self._tokens = tokens
        self._fails = fails

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        for i, one in enumerate(self._tokens):
            yield Frame(request.key, i, (one,))
        if self._fails:
            raise SegmentFailed("broken")
        yield Frame(request.key, len(self._tokens), (), SegmentEnd("stop"))


def opened(engines: Engines, mode: Any = "auto") -> RedactedEngines:
    redacted = RedactedEngines(engines, MODELS)
    redacted.open("s", Discretion(mode))
    return redacted


async def test_no_text_of_a_request_leaves_as_it_is() -> None:
    engines = Engines([])
    redacted = opened(engines)
    [_ async for _ in redacted.stream(REQUEST)]
    assert MAIL not in repr(engines.asked) and "[EMAIL_1]" in repr(engines.asked)
    assert redacted.counts("s") == {"EMAIL": 1}
    redacted.close("s")
    assert redacted.counts("s") == {}


@pytest.mark.parametrize(
    ("model", "mode", "leaves"), [("near", "auto", True), ("near", "strict", False), ("far", "off", True)]
)
async def test_what_need_not_be_redacted_is_not(model: str, mode: str, leaves: bool) -> None:
    engines = Engines([token("[EMAIL_1]")])
    request = SegmentRequest(KEY, model, (), 0, Sampling(100), cloud=PROMPT)
    frames = [frame async for frame in opened(engines, mode).stream(request)]
    assert (engines.asked[0].cloud == PROMPT) == leaves
    assert (frames[0].tokens[0].text == "[EMAIL_1]") == leaves


async def test_tool_and_reasoning_get_what_was_taken_out() -> None:
    tokens = [token("")._replace(aside=ReasoningPart(c)) for c in "to [EMAIL_1]."] + [
        tool(c) for c in '{"to": "[EMAIL_1]"}'
    ]
    frames = [frame async for frame in opened(Engines(tokens)).stream(REQUEST)]
    asides = [t.aside for f in frames for t in f.tokens]
    assert "".join(a.text for a in asides if isinstance(a, ReasoningPart)) == f"to {MAIL}."
    assert json.loads("".join(a.arguments for a in asides if isinstance(a, ToolCallPart))) == {"to": MAIL}


async def _next(stream: AsyncGenerator[Frame, None]) -> Frame | None:
    """The next frame; None when the engine fails."""
    try:
        return await anext(stream)
    except SegmentFailed:
        return None


async def test_a_tail_that_looks_like_a_placeholder_is_not_lost() -> None:
    for fails in (False, True):
        frames: list[Frame] = []
        stream = opened(Engines([token(c) for c in "levels are [INFO"], fails)).stream(REQUEST)
        while (frame := await _next(stream) if fails else await anext(stream, None)) is not None:
            frames.append(frame)
        assert "".join(t.text for f in frames for t in f.tokens) == "levels are [INFO"


@pytest.mark.parametrize(("text", "off_loop"), [("short", False), ("long " * 1_000, True)])
async def test_a_long_prompt_is_redacted_in_a_thread(
    text: str, off_loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def redacted(prompt: CloudPrompt, vault: Vault, addresses: bool) -> CloudPrompt:
        threads.append(threading.get_ident())
        return prompt

    monkeypatch.setattr(redacted_engines, "_redacted", redacted)
    assert REQUEST.cloud
    prompt = replace(REQUEST.cloud, messages=(Message("user", text),))
    [_ async for _ in opened(Engines([])).stream(replace(REQUEST, cloud=prompt))]
    assert [thread != threading.get_ident() for thread in threads] == [off_loop]


async def test_addresses_are_taken_out_where_the_configuration_says_so(tmp_path: Path) -> None:
    text = "Write to Hauptstraße 12a, 10115 Berlin"
    for addresses, out in ((False, text), (True, "Write to [ADDRESS_1]")):
        service = BudgetedService(tmp_path, redaction={"addresses": addresses})
        await service.post(CHAT, ask(text))
        prompt = service.cloud.asked[-1].cloud
        assert prompt and prompt.messages[-1].content == out


async def test_the_tail_of_a_strict_answer_comes_before_its_failure(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, redaction={"mode": "strict"}, routes={"default": {"models": ["far"]}})

    async def broken(request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        yield Frame(request.key, 0, (token("see "), token("bob")), replica="cloud")
        raise SegmentFailed("broken")

    service.cloud.generate = broken  # type: ignore[method-assign]
    events = (await service.post(CHAT, ask("Who?", stream=True))).events()
    told = "".join(c["delta"].get("content") or "" for e in events for c in e.data.get("choices", ()))
    assert told.endswith("see bob")
    assert "error" in events[-1].data or "error" in events[-2].data
