"""Bytes that nobody foresaw: parsers of events, of providers' answers and of traces raise their own errors or none."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Message
from ghostrouter.errors import SegmentFailed, TraceInvalid
from ghostrouter.providers.adapters import ADAPTERS
from ghostrouter.providers.segment import CloudSegment
from ghostrouter.providers.sse import Event, EventTooLong, SseParser
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.traces import read
from ghostrouter.types import Sampling

_PIECES = [
    b"data:", b"data: ", b"event: ", b"id: 1", b": ping", b"\n", b"\r", b"\r\n", b"\n\n", b"[DONE]", b"{}",
    b'{"a":1}', b"}{", b"\xef\xbb\xbf", b"\xff", b"\xe2\x80\xa8", b" ", b"data:data: {", b"x" * 300,
]  # fmt: skip
_STREAMS = st.lists(st.sampled_from(_PIECES) | st.binary(max_size=8), max_size=30).map(b"".join)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
# The fields that the adapters read, each with anything in it.
_NAMES = (
    "choices delta content finish_reason index tool_calls function name arguments id usage prompt_tokens "
    "completion_tokens type content_block text partial_json message stop_reason input_tokens "
    "output_tokens candidates parts functionCall args usageMetadata promptTokenCount finishReason error "
    "code status logprobs token logprob top_logprobs bytes reasoning thinking signature refusal "
    "prompt_tokens_details cached_tokens error_type "
).split()
_TYPES = (
    "message_start content_block_start content_block_delta message_delta message_stop text_delta error ping".split()
)


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(_NAMES), inner | st.sampled_from(_TYPES), max_size=6)


_EVENTS = st.recursive(_JSON, lambda inner: st.lists(inner, max_size=2) | _object(inner), max_leaves=20)


def _events(stream: bytes, cuts: list[int], bare: bool) -> list[Event] | str:
    parser, found, at = SseParser(most_bytes=200, bare=bare), [], 0
    try:
        for cut in [*sorted(c % (len(stream) + 1) for c in cuts), len(stream)]:
            found += parser.push(stream[at:cut])
            at = max(at, cut)
        last = parser.close()
    except (UnicodeDecodeError, EventTooLong) as error:
        return type(error).__name__
    return found + ([last] if last else [])


@settings(max_examples=400)
@given(_STREAMS, st.lists(st.integers(0, 1000), max_size=6), st.booleans())
def test_how_a_stream_is_cut_does_not_matter(stream: bytes, cuts: list[int], bare: bool) -> None:
    whole, cut = _events(stream, [], bare), _events(stream, cuts, bare)
    # A limit of bytes may be reached by the whole, and not by its parts.
    assert whole == cut or "EventTooLong" in (whole, cut) or isinstance(whole, str) == isinstance(cut, str)


@pytest.mark.parametrize("kind", ADAPTERS)
@settings(max_examples=300)
@given(events=st.lists(_EVENTS, max_size=4))
def test_a_provider_may_say_anything(kind: str, events: list[Any]) -> None:
    row = {"name": "c", "base_url": "https://h.example", "model": "m", "context_tokens": 99, "kind": kind}
    model = CloudModel.model_validate(row | {"logprobs": True, "tools": True, "calibration": "x"})
    prompt = cloud_prompt(model, (Message("user", "Who?"),), False, "")
    segment = CloudSegment(model, prompt, Sampling(max_tokens=9, top_logprobs=2), None, 0.0)
    try:
        for event in events:
            segment.push(Event(json.dumps(event)), 1.0)
            if segment.over:
                break
        segment.close(2.0)
    except SegmentFailed:
        pass


_LINE = {"model": "m", "prompt": "p", "tokens": ["a", "b"], "entropies": [0.1, 0.2], "bad": [[0, 1]]}


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from([*_LINE, "logprobs", "top_logprobs", "step_starts", "context"]), _JSON, max_size=4),
    st.binary(max_size=20),
    st.booleans(),
)
def test_a_trace_file_may_hold_anything(tmp_path_factory: Any, changes: dict[str, Any], tail: bytes, raw: bool) -> None:
    path: Path = tmp_path_factory.mktemp("traces") / "t.jsonl"
    path.write_bytes(tail if raw else json.dumps({**_LINE, **changes}).encode() + b"\n" + tail)
    with suppress(TraceInvalid):
        assert read.read(path)
