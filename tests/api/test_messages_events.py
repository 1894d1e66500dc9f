"""An answer as Anthropic's events: blocks in order, and the same message whole or streamed, however it was cut."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.api.messages_events import Event, Stream, whole
from ghostrouter.api.messages_object import Head, ending
from ghostrouter.api.written import Passage
from ghostrouter.money import Usage
from ghostrouter.types import Aside, ReasoningPart, Token, ToolCallPart
from tests.make import token

HEAD = Head("msg_1", "m", 7)
END = ending("stop", None, Usage(7, 3, 2), {"id": "msg_1"})


def tokens(*parts: str | Aside) -> tuple[Token, ...]:
    return tuple(token(p) if isinstance(p, str) else token("")._replace(aside=p) for p in parts)


def passage(*parts: str | Aside) -> Passage:
    return Passage("".join(p for p in parts if isinstance(p, str)), tokens(*parts))


def streamed(*growths: Passage) -> list[Event]:
    stream = Stream(HEAD)
    return [*stream.begin(), *(e for g in growths for e in stream.write(g)), *stream.end(END)]


def test_a_text_has_one_block() -> None:
    assert streamed(passage("a", "b"), passage("c")) == [
        {"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
            "stop_sequence": None, "usage": {
                "input_tokens": 7, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0},
        }},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ab"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "c"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {
            "input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 3},
            "ghost": {"id": "msg_1"}},
        {"type": "message_stop"},
    ]  # fmt: skip


def test_an_answer_without_anything_has_no_block() -> None:
    assert [e["type"] for e in streamed(Passage(""))] == ["message_start", "message_delta", "message_stop"]
    assert whole(HEAD, Passage(""), END)["content"] == []


def test_text_that_was_cut_at_a_stop_string_is_not_told() -> None:
    assert whole(HEAD, Passage("ab", tokens("a", "bST", "OP")), END)["content"] == [{"type": "text", "text": "ab"}]


def test_arguments_that_break_off_are_told_as_they_are() -> None:
    cut = passage(ToolCallPart(0, "c", "f", '{"a'))
    assert whole(HEAD, cut, END)["content"][0]["input"] == {"INVALID_JSON": '{"a'}
    assert streamed(cut)[2]["delta"]["partial_json"] == '{"a'


@pytest.mark.parametrize(
    ("finish", "stop_sequence", "reason"),
    [("stop", None, "end_turn"), ("stop", "x", "stop_sequence"), ("length", None, "max_tokens"),
     ("tool_calls", None, "tool_use")],
)  # fmt: skip
def test_stop_reasons(finish: Any, stop_sequence: str | None, reason: str) -> None:
    told = ending(finish, stop_sequence, Usage(1, 1), {})
    assert (told.stop_reason, told.stop_sequence) == (reason, stop_sequence)


@st.composite
def answers(draw: st.DrawFn) -> list[str | Aside]:
    """Reasoning, text, and calls whose pieces may take turns."""
    calls = draw(st.integers(0, 3))
    pieces: list[str | Aside] = [ReasoningPart(t) for t in draw(st.lists(st.text(min_size=1), max_size=3))]
    pieces += draw(st.lists(st.text(min_size=1), max_size=3))
    begun = [ToolCallPart(n, f"c{n}", f"f{n}", "") for n in range(calls)]
    rest = [ToolCallPart(n, arguments=part) for n in range(calls) for part in ('{"a"', ": 1", "}")]
    if draw(st.booleans()):
        rest.sort(key=lambda p: len(p.arguments), reverse=True)
        return [*pieces, *begun, *rest]
    ordered = [p for n in range(calls) for p in (begun[n], *(r for r in rest if r.number == n))]
    return [*pieces, *ordered]


@given(answers(), st.lists(st.integers(0, 20), max_size=5))
def test_however_an_answer_is_cut_it_is_the_same_message(parts: list[str | Aside], cuts: list[int]) -> None:
    bounds = [0, *sorted(min(c, len(parts)) for c in cuts), len(parts)]
    growths = [passage(*parts[a:b]) for a, b in pairwise(bounds)]
    blocks: dict[int, Any] = {}
    opened: set[int] = set()
    for event in streamed(*growths):
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks[event["index"]] = dict(event["content_block"]) | {"json": ""}
            opened.add(event["index"])
        elif event["type"] == "content_block_delta":
            assert event["index"] in opened
            ((_, name), delta) = event["delta"]["type"].rsplit("_", 1)[::-1], event["delta"]
            key = "json" if "partial_json" in delta else name
            blocks[event["index"]][key] += delta.get("partial_json", delta.get(name))
        elif event["type"] == "content_block_stop":
            opened.remove(event["index"])
    assert not opened
    told = whole(HEAD, passage(*parts), END)["content"]
    assert [b["type"] for b in told] == [b["type"] for b in blocks.values()]
    for block, one in zip(told, blocks.values(), strict=True):
        if block["type"] == "tool_use":
            assert (block["id"], block["input"]) == (one["id"], {"a": 1})
        else:
            assert block[block["type"]] == one[block["type"]]
    said = "".join(p for p in parts if isinstance(p, str))
    assert "".join(b["text"] for b in told if b["type"] == "text") == said


def test_a_text_within_a_call_does_not_cut_it() -> None:
    first, second = ToolCallPart(0, "a", "f", '{"a"'), ToolCallPart(0, arguments=": 1}")
    events = streamed(passage(first), passage("Well."), passage(second))
    pieces = [(e["index"], e["delta"]) for e in events if e["type"] == "content_block_delta"]
    assert pieces == [
        (0, {"type": "input_json_delta", "partial_json": '{"a"'}), (1, {"type": "text_delta", "text": "Well."}),
        (0, {"type": "input_json_delta", "partial_json": ": 1}"}),
    ]  # fmt: skip
    assert [e["index"] for e in events if e["type"] == "content_block_stop"] == [1, 0]
    blocks = whole(HEAD, passage(first, "Well.", second), END)["content"]
    assert [b.get("input", b.get("text")) for b in blocks] == [{"a": 1}, "Well."]
