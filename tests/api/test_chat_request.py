from typing import Any

import pytest

from ghostrouter.api.chat_request import from_wire
from ghostrouter.conversation import Message
from ghostrouter.errors import InvalidRequest

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_what_is_left_open_is_none() -> None:
    call = from_wire(ASKED)
    assert (call.temperature, call.top_p, call.max_tokens, call.seed) == (None, None, None, None)
    assert not call.stream
    assert not call.logprobs


def test_everything_is_read() -> None:
    call = from_wire(
        {
            **ASKED,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 5,
            "max_completion_tokens": 7,
            "min_tokens": 2,
            "temperature": 1,
            "top_p": 0.5,
            "seed": 3,
            "presence_penalty": 0.5,
            "logit_bias": {"7": -100},
            "stop": "x",
            "logprobs": True,
            "top_logprobs": 2,
            "user": "me",
            "n": 1,
            "tools": [],
            "ghost": {"handoffs": [{"after_tokens": 3, "to": "large"}]},
        }
    )
    assert (call.min_tokens, call.max_tokens, call.stop, call.top_logprobs) == (2, 7, ("x",), 2)
    assert call.include_usage
    assert (call.presence_penalty, call.logit_bias) == (0.5, ((7, -100.0),))
    assert call.script[0].to == "large"


def test_roles_and_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "developer", "content": "be kind"}, {"role": "user", "content": parts}]
    assert from_wire({"model": "m", "messages": messages}).messages == (
        Message("system", "be kind"),
        Message("user", "ab"),
    )


def test_an_answer_may_be_begun_by_the_client() -> None:
    begun = {**ASKED, "messages": [{"role": "assistant", "content": "Well,"}]}
    assert from_wire({**begun, "continue_final_message": True}).continue_final
    assert not from_wire(begun).continue_final


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": []}, "`messages`"),
        ({"messages": "hi"}, "`messages`"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "`messages.0.role`"),
        ({"messages": [{"role": "user", "content": None}]}, "`messages.0`"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "image_url"),
        ({"model": 3}, "`model`"),
        ({"temperature": "0.5"}, "`temperature`"),
        ({"temperature": 3}, "`temperature`"),
        ({"temperature": float("nan")}, "`temperature`"),
        ({"max_tokens": 0}, "`max_tokens`"),
        ({"top_logprobs": 21}, "`top_logprobs`"),
        ({"stop": ["a"] * 5}, "`stop"),
        ({"stream": "yes"}, "`stream`"),
        ({"presence_penalty": 3}, "`presence_penalty`"),
        ({"logit_bias": {"x": 1}}, "`logit_bias`"),
        ({"logit_bias": {"1": 101}}, "`logit_bias`"),
        ({"n": 17}, "`n`"),
        ({"tools": [{"type": "function"}]}, "`tools.0.function`"),
        ({"response_format": {"type": "xml"}}, "`response_format`"),
        ({"no_such_field": 1}, "`no_such_field`"),
        ({"continue_final_message": True}, "assistant"),
        ({"ghost": {"handoffs": [{"after_tokens": 0, "to": "x"}]}}, "after_tokens"),
    ],
)
def test_a_bad_request_is_told_what_to_change(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        from_wire({**ASKED, **change})
    assert words in str(refusal.value)


@pytest.mark.parametrize("body", [None, [], "x", 1])
def test_a_body_must_be_an_object(body: object) -> None:
    with pytest.raises(InvalidRequest, match="JSON object"):
        from_wire(body)


def test_what_was_sent_is_not_echoed() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        from_wire({**ASKED, "temperature": "sk-secret"})
    assert "sk-secret" not in str(refusal.value)
