"""Streamed answers from their bytes."""

import json
from typing import Any

import pytest

from bench.arrivals import is_complete, problem, read

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(text: str = "", finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more}, ensure_ascii=False)}\n\n"


def _chunk(text: str) -> bytes:
    data = text.encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


_USAGE = f"data: {json.dumps({'choices': [], 'usage': {'completion_tokens': 3}})}\n\n"
_END = _chunk(_event(finish="stop") + _USAGE + "data: [DONE]\n\n") + b"0\r\n\r\n"
_WHOLE = _HEAD + _chunk(_event("naïve")) + _chunk(_event(" 日本") + _event(" !")) + _END


def test_an_answer_is_read_with_the_times_of_its_pieces() -> None:
    first = len(_HEAD) + len(_chunk(_event("naïve")))
    found = read(1.0, [(1.5, _WHOLE[:first]), (2.0, _WHOLE[first:])])
    assert (found.text, found.finish, found.done, found.completion_tokens) == ("naïve 日本 !", "stop", True, 3)
    assert found.pieces == [(1.5, 5), (2.0, 5)]
    assert found.ttft_s == 0.5
    assert found.gaps_s == [0.5]
    assert found.share_between(0.0, 2.0) == 0.5
    assert problem(found, 3, "stop") == ""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_it_does_not_matter_where_the_bytes_are_cut(size: int) -> None:
    reads = [(float(at), _WHOLE[at : at + size]) for at in range(0, len(_WHOLE), size)]
    found = read(0.0, reads)
    assert problem(found, 3, "stop") == ""
    assert found.text == "naïve 日本 !"
    assert sum(n for _, n in found.pieces) == len(found.text)


def test_a_response_is_complete_at_its_last_byte() -> None:
    assert is_complete(bytearray(_WHOLE))
    assert not any(is_complete(bytearray(_WHOLE[:n])) for n in range(len(_WHOLE)))
    sized = b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"
    assert is_complete(bytearray(sized))
    assert not is_complete(bytearray(sized[:-1]))


@pytest.mark.parametrize(
    ("raw", "wrong"),
    [
        (b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", "status 503: busy"),
        (b"", "not an answer"),
        (_WHOLE.replace(b"data: [DONE]", b": [DONE]    "), "no [DONE]"),
        (_WHOLE.replace(b'"stop"', b'"none"'), "finish_reason is none"),
        (_WHOLE.replace(b'_tokens": 3', b'_tokens": 4'), "4 tokens instead of 3"),
        (_HEAD + _chunk(_event("a")) + _chunk('data: {"error": "no"}\n\n') + b"0\r\n\r\n", "no"),
        (_HEAD + _chunk('data: {"choices": [{}]}\n\n') + b"0\r\n\r\n", "not an answer"),
    ],
)
def test_what_is_wrong_is_told(raw: bytes, wrong: str) -> None:
    assert problem(read(0.0, [(1.0, raw)]), 3, "stop").startswith(wrong)


def test_log_probabilities_are_counted() -> None:
    entry = {"token": "a", "logprob": 0, "top_logprobs": [{}] * 20}
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None, "logprobs": {"content": [entry] * 3}}
    raw = _HEAD + _chunk(f"data: {json.dumps({'choices': [choice]})}\n\n") + _END
    assert problem(read(0.0, [(1.0, raw)]), 3, "stop", top_logprobs=20) == ""
    assert problem(read(0.0, [(1.0, _WHOLE)]), 3, "stop", top_logprobs=20) == "0 entries of 0 log-probabilities"
