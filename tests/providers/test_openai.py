import json
from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Message
from ghostrouter.errors import SegmentFailed
from ghostrouter.providers.chunk import Chunk, Written
from ghostrouter.providers.openai import read_event, to_wire
from ghostrouter.providers.sse import Event
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Sampling

ASKED = (Message("user", "Who?"),)


def model(**fields: Any) -> CloudModel:
    row = {"name": "c", "base_url": "http://h/v1", "model": "upstream", "context_tokens": 1000}
    return CloudModel.model_validate(row | fields)


def body(row: CloudModel, written: str, **sampling: Any) -> dict[str, Any]:
    return to_wire(row, cloud_prompt(row, ASKED, False, written), Sampling(**{"max_tokens": 9, "seed": 3} | sampling))


def event(content: str | None, finish: str | None = None, **choice: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish} | choice]})


def test_sampling_passes_through_and_stop_strings_do_not() -> None:
    biased = body(model(), "", stop=("END",), temperature=0.5, presence_penalty=1.0, logit_bias=((7, -1.0),))
    assert biased == {
        "model": "upstream",
        "messages": [{"role": "user", "content": "Who?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 1.0,
        "seed": 3,
        "presence_penalty": 1.0,
        "logit_bias": {"7": -1.0},
    }
    assert body(model(logprobs=True), "")["top_logprobs"] == 20


def test_a_native_prefix_is_marked() -> None:
    sent = body(model(continues="prefix", vendor_fields={"x": 1}), "Mira")
    assert sent["messages"][-1] == {"role": "assistant", "content": "Mira", "prefix": True}
    assert sent["x"] == 1


def test_vendor_fields_come_with_a_continued_message_only() -> None:
    fields = {"continue_final_message": True, "add_generation_prompt": False}
    row = model(continues="assistant", vendor_fields=fields)
    assert fields.items() <= body(row, "Mira").items()
    assert body(row, "Mira")["messages"][-1] == {"role": "assistant", "content": "Mira"}
    assert not fields.keys() & body(row, "").keys()


def test_tokens_for_an_echo_come_on_top() -> None:
    assert body(model(continues="instruct", echo_tokens=8), "Mira")["max_tokens"] == 17
    assert body(model(continues="instruct", echo_tokens=8), "")["max_tokens"] == 9


TOP = [{"token": " a", "logprob": -0.1}, {"token": " b", "logprob": -3.0}]


def entry(token: str) -> dict[str, Any]:
    return {"token": token, "logprob": -0.1, "bytes": list(token.encode()), "top_logprobs": TOP[::-1]}


READ = ((" a", -0.1), (" b", -3.0))


@pytest.mark.parametrize(
    ("data", "chunk"),
    [
        (event("Hi"), Chunk((Written("Hi"),))),
        (event("", role="x"), Chunk()),
        (event(None, "stop"), Chunk((), "stop")),
        (event("Hi", "length"), Chunk((Written("Hi"),), "length")),
        ('{"choices": [], "usage": {}}', Chunk()),
        ("null", Chunk()),
        ("{}", Chunk()),
        ('{"choices": null}', Chunk()),
        ('{"choices": [], "usage": {"prompt_tokens": 1e999}}', Chunk()),
        (event("x", logprobs={"content": [{"token": "x", "logprob": float("nan")}]}), Chunk((Written("x"),))),
        # Of which choice it is; `CloudSegment` reads only one.
        ('{"choices": [{"index": 1, "delta": {"content": "other"}}]}', Chunk((Written("other"),), choice=1)),
        (
            event("ab", logprobs={"content": [entry("a"), entry("b")]}),
            Chunk((Written("a", -0.1, READ), Written("b", -0.1, READ))),
        ),
        # Two tokens that make one character: neither entry has its text.
        (
            event("😀", logprobs={"content": [entry("\\xf0"), entry("\\x9f")]}),
            Chunk((Written("", -0.1, READ), Written("😀", -0.1, READ))),
        ),
        (event("", logprobs={"content": [entry("")]}), Chunk((Written("", -0.1, READ),))),
        (event("x", logprobs={"content": None}), Chunk((Written("x"),))),
        (event("x", logprobs={"content": [{"token": "x", "logprob": float("-inf")}]}), Chunk((Written("x", -9999.0),))),
        (event("x", logprobs={"content": [{"token": "x", "logprob": 0.5}]}), Chunk((Written("x", 0.0),))),
        (event("a\ud800"), Chunk((Written("a\ud800"),))),
    ],
)
def test_events(data: str, chunk: Chunk) -> None:
    assert replace(read_event(Event(data), model()), leaves_open=False) == chunk


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{broken", "malformed"),
        ("[]", "malformed"),
        ('{"choices": [3]}', "malformed"),
        ('{"error": {"code": "overloaded", "message": "secret prompt"}}', r"an error \(overloaded\)"),
        ('{"error": {"type": "secret prompt!", "code": null}}', r"an error \(unknown\)"),
        ('{"error": "secret prompt"}', r"an error \(unknown\)"),
        (event("", "content_filter"), "content_filter"),
        ('{"choices": [{"delta": {"content": true}}]}', "malformed"),
        ('{"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {}, "name": [1]}}]}}]}', "malformed"),
    ],
)
def test_what_is_no_answer_is_a_failure(data: str, reason: str) -> None:
    with pytest.raises(SegmentFailed, match=reason) as failure:
        read_event(Event(data), model())
    assert "secret" not in str(failure.value)
