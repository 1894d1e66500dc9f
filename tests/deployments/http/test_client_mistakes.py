"""What is wrong in a request is the client's mistake: an answer below 500, whichever endpoint it goes to."""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.in_process import ANSWER, Answer, Service
from tests.deployments.session.test_budgeted_engines import BudgetedService

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
USER = [{"role": "user", "content": "?"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "small", "messages": USER},
    RESPONSES: {"model": "small", "input": "?"},
    "/v1/route": {"model": "small", "query": "?"},
    "/v1/feedback": {"session": "chatcmpl-0", "rating": 1},
    "/call": {
        "caller": {"handle": "tester", "account_id": "12345678"},
        "intent": {"class": "lookup"},
        "target": {"type": "model", "alias": "small"},
        "prompt": "?",
    },
}
FIELDS = (
    "model messages input query prompt stream temperature top_p seed stop max_tokens max_completion_tokens min_tokens "
    "max_output_tokens logit_bias logprobs top_logprobs tools tool_choice response_format ghost metadata "
    "stream_options "
    "n user caller intent target params options context session rating label call_id created_at presence_penalty "
    "repetition_penalty reasoning_effort parallel_tool_calls continue_final_message instructions include text store"
).split()
DEEP: Any = []
for _ in range(150):
    DEEP = [DEEP]
ODD: tuple[Any, ...] = (
    -1, 10**400, -(10**400), 1e308, True, "", "x" * 5_000, "\ud800", "\x00", "日本", [], [None], [[]], {}, {"": 1},
    {"x": None}, {"9" * 5_000: 1}, {"type": "x"}, {"class": []}, DEEP, [USER[0]] * 3, "9" * 5_000, {"\ud800": "\ud800"},
    {"handoffs": [{"after_tokens": 10**400, "to": "small"}]},
    {"type": "json_schema", "json_schema": {"name": "x", "schema": DEEP}},
)  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
async def test_whatever_stands_in_a_field(path: str) -> None:
    service = Service()
    failed = []
    for field in FIELDS:
        for value in ODD:
            raw = json.dumps({**BODIES[path], field: value}).encode()
            answer = await service.send("POST", path, raw)
            if answer.status >= 500:
                failed.append((field, repr(value)[:60], answer.status))
    assert not failed


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"null", b"[]", b"7", b"\xff\xfe", b"[" * 9_000, b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}',
        b"9" * 5_000, b'{"model": "small", "model": {}}', b"\xef\xbb\xbf{}", b"x" * 20_000,
    ],
)  # fmt: skip
async def test_whatever_the_body_is(path: str, raw: bytes) -> None:
    answer = await Service().send("POST", path, raw)
    assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    "path",
    [
        f"{RESPONSES}/resp_0?stream=true&starting_after={'9' * 5_000}",
        f"{RESPONSES}/resp_0?stream=true&starting_after=%D9%A3",
        f"{RESPONSES}/{'x' * 5_000}",
        f"/v1/traces?limit={'9' * 5_000}",
        "/v1/traces/%00",
        f"/jobs?limit={'9' * 5_000}",
        "/jobs?status=%ff",
        "/result/%00",
        "/v1/models/%F0%9F%90%A2",
    ],
)
async def test_whatever_stands_in_a_path(path: str) -> None:
    answer = await Service().get(path)
    assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    "headers",
    [
        {"last_event_id": "9" * 5_000},
        {"last_event_id": "chatcmpl-0:" + "9" * 5_000},
        {"x_ghost_redaction": "nonsense"},
        {"content_encoding": "br"},
        {"idempotency_key": "x" * 5_000},
    ],
)
async def test_whatever_stands_in_a_header(headers: dict[str, Any], tmp_path: Path) -> None:
    answer = await BudgetedService(tmp_path).post(CHAT, BODIES[CHAT], **headers)
    assert 400 <= answer.status < 500 and answer.headers["x-request-id"]


async def test_a_route_may_be_named_in_any_script(tmp_path: Path) -> None:
    routes = {"default": {"models": ["small"]}, "算数\n": {"models": ["small"], "rules": ["how many"]}}
    service = BudgetedService(tmp_path, routes=routes)
    asked = {"model": "ghost/auto", "messages": [{"role": "user", "content": "how many coins?"}]}
    for stream in (False, True):
        answer = await service.post(CHAT, {**asked, "stream": stream})
        assert (answer.status, answer.headers["x-ghost-task"]) == (200, "%E7%AE%97%E6%95%B0%0A")


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": lambda raw: zlib.compress(raw)[2:-4],  # without its header, as some write it
    "gzip, identity": lambda raw: gzip.compress(raw[:9]) + gzip.compress(raw[9:]),  # in two members
}


async def packed(encoding: str, raw: bytes) -> Answer:
    return await Service().send("POST", CHAT, raw, content_encoding=encoding)


@pytest.mark.parametrize("encoding", ENCODERS)
async def test_a_body_may_be_compressed(encoding: str) -> None:
    body = ENCODERS[encoding](json.dumps(BODIES[CHAT]).encode())
    answer = await packed(encoding, body)
    assert answer.json["choices"][0]["message"]["content"] == ANSWER
    assert (await packed(encoding, body[:-9])).status == 400
    assert (await packed(encoding, b"{}")).status == 400
    assert (await packed(encoding, ENCODERS[encoding](b" " * 9_999_999))).status == 413


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_a_compression_that_is_not_known_is_refused_in_words(encoding: str) -> None:
    answer = await packed(encoding, b"x")
    assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_body")
    assert (await packed("utf-8", json.dumps(BODIES[CHAT]).encode())).status == 200


async def test_pages_of_other_origins_are_let_in_where_that_is_configured(tmp_path: Path) -> None:
    keys = {"keys": [{"name": "a", "sha256": "0" * 64}]}
    asks = {"origin": "https://app.example", "access_control_request_method": "POST"}
    closed = BudgetedService(tmp_path / "closed", access=keys)
    assert "access-control-allow-origin" not in (await closed.send("OPTIONS", CHAT, b"", **asks)).headers
    service = BudgetedService(tmp_path / "open", access={**keys, "cors_origins": ["https://app.example"]})
    preflight = await service.send("OPTIONS", CHAT, b"", **asks, access_control_request_headers="authorization")
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, "https://app.example")
    page: dict[str, Any] = {"origin": "https://app.example", "content_type": "application/json"}
    refused = await service.post(CHAT, BODIES[CHAT], **page)  # without a key, and told so
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "https://app.example")
    other = await service.send("OPTIONS", CHAT, b"", **{**asks, "origin": "https://evil.example"})
    assert other.status == 400


@pytest.mark.parametrize("path", [f"{CHAT}/", f"/{CHAT}", "/v1//chat/completions//"])
async def test_slashes_too_many_change_nothing(path: str) -> None:
    answer = await Service().post(path, BODIES[CHAT])
    assert (answer.status, answer.json["choices"][0]["message"]["content"]) == (200, ANSWER)


async def test_head_and_options() -> None:
    service = Service()
    for path in ("/v1/models", "/v1/models/small", "/healthz", "/v1/status/"):
        head, got = await service.send("HEAD", path, b""), await service.get(path)
        assert (head.status, head.headers["content-type"]) == (got.status, "application/json")
    options = await service.send("OPTIONS", CHAT, b"")
    assert (options.status, options.headers["allow"], options.body) == (204, "POST", b"")
    assert (await service.send("OPTIONS", "/v1/nothing", b"")).status == 404
