"""What both APIs read alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.api import chat_request, responses_request
from ghostrouter.api.body import decoded
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.errors import InvalidRequest


def chat(fields: dict[str, Any]) -> ChatCall:
    return chat_request.from_wire({"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields})


def responses(fields: dict[str, Any]) -> ChatCall:
    return responses_request.from_wire({"model": "m", "input": "hi", **fields}).call


both = pytest.mark.parametrize("read", [chat, responses])

SHARED = {
    "stream": True,
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": 3,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "logit_bias": {"7": -100},
    "min_tokens": 2,
    "stop": ["x", "y"],
    "ghost": {"handoffs": [{"after_tokens": 3, "to": "large"}]},
}


def test_the_same_fields_make_the_same_call() -> None:
    assert chat(SHARED) == responses(SHARED)
    assert chat({}) == responses({})


@both
@pytest.mark.parametrize("name", SHARED)
def test_every_shared_field_matters(read: Callable[[dict[str, Any]], ChatCall], name: str) -> None:
    assert read({name: SHARED[name]}) != read({})


def test_limits_and_logprobs_have_other_names_for_the_same() -> None:
    asked = {"max_output_tokens": 7, "top_logprobs": 2, "include": ["message.output_text.logprobs"]}
    call = responses(asked)
    assert (call.max_tokens, call.logprobs, call.top_logprobs) == (7, True, 2)
    assert call == chat({"max_completion_tokens": 7, "top_logprobs": 2, "logprobs": True})


def test_without_logprobs_none_of_the_alternatives_are_asked_for() -> None:
    assert responses({"top_logprobs": 2}) == chat({"top_logprobs": 2}) == replace(chat({}), top_logprobs=0)


@both
def test_null_means_left_out(read: Callable[[dict[str, Any]], ChatCall]) -> None:
    assert read({**dict.fromkeys(SHARED), "no_such_field": None, "ghost": {"preset": None}}) == read({})


@both
def test_no_probability_mass_is_the_likeliest_token(read: Callable[[dict[str, Any]], ChatCall]) -> None:
    assert read({"top_p": 0, "temperature": 1.5}) == read({"temperature": 0})


@both
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 3}, "`temperature`"),
        ({"top_p": -0.1}, "`top_p`"),
        ({"logit_bias": {"9" * 5_000: 1}}, "`logit_bias`"),
        ({"logit_bias": {"٣": 1}}, "`logit_bias`"),
        ({"min_tokens": 10**400}, "`min_tokens`"),
        ({"seed": 2**63}, "`seed`"),
        ({"presence_penalty": 3}, "`presence_penalty`"),
        ({"frequency_penalty": -3}, "`frequency_penalty`"),
        ({"logit_bias": {"x": 1}}, "`logit_bias`"),
        ({"min_tokens": -1}, "`min_tokens`"),
        ({"stop": ["a"] * 5}, "`stop`"),
        ({"stop": "\ud800"}, "`stop`"),
        ({"top_logprobs": 21}, "`top_logprobs`"),
        ({"stream": "yes"}, "`stream`"),
        ({"model": "\ud800"}, "`model`"),
        ({"ghost": {"handoffs": [{"after_tokens": 0, "to": "x"}]}}, "`ghost.handoffs.0.after_tokens`"),
        ({"ghost": {"trust": "blind"}}, "`ghost.trust`"),
        ({"no_such_field": 1}, "`no_such_field`"),
        ({"\ud800": 1}, "`body`"),
    ],
)
def test_both_refuse_alike(read: Callable[[dict[str, Any]], ChatCall], change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(change)
    assert str(refusal.value).startswith(words)
    str(refusal.value).encode()  # it is going to be sent


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"[" * 129 + b"]" * 129, "more than 128 levels"),
        (b'{"a":[' * 65 + b"]}" * 65, "more than 128 levels"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 50_000, "nested too deeply"),
        (b'{"temperature": NaN}', "NaN is no number"),
        (b'{"metadata": 1e999}', "a number is too large"),
        (b'{"temperature": -Infinity}', "-Infinity is no number"),
        (b"\xff\xfe{", "not valid JSON"),
        (b"1" * 5_000, "not valid JSON"),
        (b"", "not valid JSON"),
    ],
)
def test_what_is_no_json_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        decoded(raw)


def test_many_levels_are_read() -> None:
    assert decoded(b"[" * 128 + b"]" * 128)
    assert decoded(b"7") == 7
