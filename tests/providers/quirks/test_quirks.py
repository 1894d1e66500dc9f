"""What others' servers do, and what our clients must see of it: through the real pool and over real HTTP, both ways."""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.providers.quirks.loopback import Loopback, keys
from tests.providers.quirks.table import Row, rows

TABLE = rows("framing.yaml", "text.yaml", "usage.yaml", "tools.yaml", "errors.yaml")
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("f", "g", "get_weather")
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with keys(os.environ), Loopback(tmp_path_factory.mktemp("quirks")) as made:
        yield made


def body(row: Row, **fields: Any) -> dict[str, Any]:
    asked = {"model": row.protocol, "messages": [{"role": "user", "content": "Who?"}], **row.ask, **fields}
    return asked | ({"tools": TOOLS} if row.sees.get("calls") else {})


def post(service: Loopback, asked: dict[str, Any]) -> httpx.Response:
    return service.client.post("/v1/chat/completions", json=asked)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_whole(service: Loopback, row: Row) -> None:
    service.upstream.plays(*row.transcripts)
    answer = post(service, body(row))
    sees = row.sees
    check_request(service, row, answer)
    if "error" in sees or "late" in sees:
        return
    told = ChatCompletion.model_validate(answer.json(), strict=True)
    message, finish = told.choices[0].message, told.choices[0].finish_reason
    calls = [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or () if c.type == "function"]
    check(row, message.content, getattr(message, "reasoning_content", ""), calls, finish, answer.json()["usage"])


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_streamed(service: Loopback, row: Row) -> None:
    service.upstream.plays(*row.transcripts)
    answer = post(service, body(row, stream=True, stream_options={"include_usage": True}))
    if "late" not in row.sees:
        check_request(service, row, answer)
    if "error" in row.sees:
        return
    assert answer.headers["x-accel-buffering"] == "no"
    *events, done = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    assert done == "[DONE]"
    chunks = [json.loads(e) for e in events]
    if "late" in row.sees:
        error = chunks.pop()
        assert error["error"]["code"] == row.sees["late"] and error["ghost"]["segments"]
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == row.sees["text"]
        return
    check_chunks(row, chunks)


def check_chunks(row: Row, chunks: list[dict[str, Any]]) -> None:
    """The chunks are OpenAI's, and put together they are the answer."""
    told = [ChatCompletionChunk.model_validate(c, strict=True) for c in chunks]
    *told, last = told
    assert not last.choices and last.usage and all(c.choices for c in told)
    assert told[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in told[:-1]] == [None] * (len(told) - 1)
    deltas = [c.choices[0].delta for c in told]
    calls: dict[int, list[str]] = {}
    for piece in (p for d in deltas for p in d.tool_calls or ()):
        assert piece.function
        if piece.index not in calls:
            assert piece.id and piece.function.name and piece.index == len(calls)
            calls[piece.index] = [piece.id, piece.function.name, ""]
        else:
            assert piece.id is None and piece.function.name is None
        calls[piece.index][2] += piece.function.arguments or ""
    text = "".join(d.content or "" for d in deltas)
    reasoning = "".join(getattr(d, "reasoning_content", None) or "" for d in deltas)
    found = [(c[0], c[1], c[2]) for c in calls.values()]
    check(row, text, reasoning, found, told[-1].choices[0].finish_reason, chunks[-1]["usage"])


def check_request(service: Loopback, row: Row, answer: httpx.Response) -> None:
    """The status, the error if there is to be one, and how often the provider was asked."""
    error = row.sees.get("error", (503, row.sees["late"]) if "late" in row.sees else (200, None))
    assert answer.status_code == error[0], answer.text
    if error[0] != 200:
        assert answer.json()["error"]["code"] == error[1]
        assert answer.headers["x-request-id"].startswith("chatcmpl-") and answer.headers["x-ghost-model"]
    if "asked" in row.sees:
        assert len(service.upstream.asked) == row.sees["asked"]
    if "retry_after" in row.sees:
        assert answer.headers["retry-after"] == row.sees["retry_after"]


def check(
    row: Row,
    text: str | None,
    reasoning: str | None,
    calls: list[tuple[str, str, str]],
    finish: str | None,
    usage: dict[str, Any],
) -> None:
    sees = row.sees
    assert (text or "") == (sees.get("text") or "")
    assert (reasoning or "") == sees.get("reasoning", "")
    assert [[name, arguments] for _, name, arguments in calls] == sees.get("calls", [])
    ids = [id for id, _, _ in calls]
    assert all(ids) and len(set(ids)) == len(ids)
    if "ids" in sees:
        assert ids == sees["ids"]
    if "finish" in sees:
        assert finish == sees["finish"]
    if "usage" in sees:
        parts = usage["prompt_tokens_details"]["cached_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]
        assert [usage["prompt_tokens"], usage["completion_tokens"], *parts] == sees["usage"]
