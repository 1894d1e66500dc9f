from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.api.errors import to_wire
from ghostrouter.api.responses_events import Ending, Stream, events, tokens_before
from ghostrouter.api.responses_items import Event, output
from ghostrouter.api.responses_object import Ended, head, response, usage
from ghostrouter.api.responses_request import from_wire
from ghostrouter.api.written import Passage, is_told
from ghostrouter.errors import SessionMoved
from ghostrouter.money import Usage
from ghostrouter.types import ToolCallPart
from tests.api.openai_types import check_event
from tests.make import token, tokens

HEAD = head(from_wire({"model": "auto", "input": "hi"}), "resp_0a", 7)
WITH_LOGPROBS = replace(HEAD, logprobs=True)
DONE = Ending("completed", usage(Usage(3, 2)), {"id": "s"})

token_lists = st.lists(st.text(max_size=3).map(token), max_size=3).map(tuple)
delta_lists = st.lists(st.builds(Passage, st.text(max_size=5), token_lists), max_size=8)
endings = st.builds(
    Ending,
    st.sampled_from(get_args(Ended)),
    st.just(usage(Usage(3, 2))),
    st.just({"id": "s"}),
    st.sampled_from(["", "boom"]),
)
heads = st.sampled_from([HEAD, WITH_LOGPROBS])


def kinds(found: list[Event]) -> list[str]:
    return [e["type"].removeprefix("response.") for e in found]


def test_the_events_of_an_answer() -> None:
    found = list(events(HEAD, [Passage("he", tokens("he")), Passage("", tokens("")), Passage("y", tokens("y"))], DONE))
    assert [(e["sequence_number"], kind) for e, kind in zip(found, kinds(found), strict=True)] == [
        (0, "created"),
        (1, "in_progress"),
        (3, "output_item.added"),
        (4, "content_part.added"),
        (2001, "output_text.delta"),
        (3001, "output_text.delta"),
        (3003, "output_text.done"),
        (3004, "content_part.done"),
        (3005, "output_item.done"),
        (3006, "completed"),
    ]
    assert [e["delta"] for e in found[4:6]] == ["he", "y"]
    assert found[0]["response"] == found[1]["response"] == response(HEAD, "in_progress")
    assert found[-1]["response"] == response(
        HEAD, "completed", output(HEAD, "completed", Passage("hey")), DONE.usage, DONE.ghost
    )


def numbers(found: list[Event]) -> list[int]:
    return [e["sequence_number"] for e in found]


@given(heads, delta_lists, endings)
def test_every_event_is_openai_s_and_has_a_number_of_its_own(head: Any, deltas: list[Passage], ending: Ending) -> None:
    told = list(events(head, deltas, ending))
    assert numbers(told) == sorted(set(numbers(told)))
    found = [check_event(body) for body in told]
    assert {e.item_id for e in found if hasattr(e, "item_id")} == {"msg_0a"}


@given(heads, delta_lists, endings)
def test_the_text_is_the_same_wherever_it_is_told(head: Any, deltas: list[Passage], ending: Ending) -> None:
    *_, text, part, item, last = found = list(events(head, deltas, ending))
    whole = "".join(d.text for d in deltas)
    assert "".join(e["delta"] for e in found if "delta" in e) == whole
    assert text["text"] == part["part"]["text"] == whole
    assert item["item"]["content"] == [part["part"]]
    assert last["response"]["output"] == [item["item"]]


@given(heads, delta_lists, endings, st.data())
def test_a_stream_made_again_is_exactly_the_rest(
    head: Any, deltas: list[Passage], ending: Ending, data: st.DataObject
) -> None:
    whole = list(events(head, deltas, ending))
    seen = data.draw(st.integers(0, len(whole) - 1))
    assert list(events(head, deltas, ending, starting_after=numbers(whole)[seen])) == whole[seen + 1 :]


def spoken(text: str) -> Passage:
    return Passage(text, tuple(token(character) for character in text))


@given(st.lists(st.text("ab ", min_size=1, max_size=4), min_size=1), st.data())
def test_who_comes_back_to_other_groups_of_tokens_misses_nothing_and_gets_nothing_twice(
    first: list[str], data: st.DataObject
) -> None:
    """The writer has died, and its last tokens were written again by another one."""
    before = list(events(HEAD, map(spoken, first), DONE))
    left = data.draw(st.integers(0, len(before) - 1))
    seen, number = before[: left + 1], numbers(before)[left]
    has = tokens_before(number)
    text = "".join(first)
    rest, again = text[has:], [spoken(character) for character in text[:has]]  # as `ClientGrowths` divides them
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        again, rest = [*again, spoken(rest[:size])], rest[size:]
    whole = seen + list(events(HEAD, again, DONE, starting_after=number))
    assert "".join(e["delta"] for e in whole if "delta" in e) == text
    others = [kind for kind in kinds(whole) if kind != "output_text.delta"]
    assert others == [kind for kind in kinds(before) if kind != "output_text.delta"]


@given(heads, delta_lists)
def test_what_is_told_does_not_depend_on_what_comes_after(head: Any, deltas: list[Passage]) -> None:
    stream = Stream(head)
    live = stream.begin() + [e for d in deltas for e in stream.write(d)]
    assert list(events(head, deltas, DONE))[: len(live)] == live
    told = sum(is_told(d, head.logprobs) for d in deltas)
    assert len(live) == 2 + (2 + told if told else 0)


@pytest.mark.parametrize(
    ("delta", "logprobs", "told"),
    [
        (Passage("a", (token("a"),)), False, True),
        (Passage("a"), True, True),
        (Passage("", (token(""),)), False, False),
        (Passage("", (token(""),)), True, True),
        (Passage(""), True, False),
    ],
)
def test_which_deltas_take_a_number(delta: Passage, logprobs: bool, told: bool) -> None:
    assert is_told(delta, logprobs) == told
    stream = Stream(replace(HEAD, logprobs=logprobs))
    stream.begin()
    stream.write(Passage("begun"))
    assert len(stream.write(delta)) == told


def test_every_token_s_logprob_is_told_once() -> None:
    odd = token("é")._replace(logprob=float("-inf"), alternatives=(("e", -2.0),))
    found = list(events(WITH_LOGPROBS, [Passage("a", (token("a"),)), Passage("", (odd,)), Passage("é")], DONE))
    one, other = {"token": "a", "logprob": -0.1, "top_logprobs": []}, {"token": "é", "logprob": -9999.0}
    other["top_logprobs"] = [{"token": "e", "logprob": -2.0}]
    assert [e["logprobs"] for e in found if "delta" in e] == [[one], [other], []]
    assert found[-4]["logprobs"] == [one, other]
    assert [p["token"] for p in found[-3]["part"]["logprobs"]] == ["a", "é"]


def test_logprobs_nobody_asked_for_are_not_told() -> None:
    found = list(events(HEAD, [Passage("a", (token("a"),))], DONE))
    assert [e["logprobs"] for e in found if "logprobs" in e] == [[], []]


@pytest.mark.parametrize(
    ("status", "last"),
    [("completed", "completed"), ("incomplete", "incomplete"), ("failed", "failed"), ("cancelled", "incomplete")],
)
def test_how_a_stream_ends(status: Ended, last: str) -> None:
    *_, item, end = events(HEAD, [Passage("a")], Ending(status, error="boom"))
    assert end["type"] == f"response.{last}"
    assert end["response"]["status"] == status
    assert (end["response"]["error"] is not None) == (status == "failed")
    assert item["item"]["status"] == ("completed" if status == "completed" else "incomplete")


@pytest.mark.parametrize(("starting_after", "seen"), [(None, 1001), (2, 1001), (4001, 4001)])
def test_after_an_error_a_client_resumes_where_it_was(starting_after: int | None, seen: int) -> None:
    stream = Stream(HEAD, starting_after)
    stream.begin()
    stream.write(spoken("a"))
    body = stream.error(to_wire(SessionMoved("it moved"))[1])
    error = check_event(body)
    assert (error.type, error.code, error.message) == ("error", "session_moved", "it moved")
    assert error.sequence_number == seen


def called(*parts: ToolCallPart | str) -> Passage:
    found = tuple(token(p) if isinstance(p, str) else token("")._replace(aside=p) for p in parts)
    return Passage("".join(p for p in parts if isinstance(p, str)), found)


def test_calls_are_items_of_their_own() -> None:
    deltas = [
        called("Well."),
        called(ToolCallPart(0, "a", "f", '{"x"')),
        called(ToolCallPart(0, arguments=": 1}"), ToolCallPart(1, "b", "g", "{}")),
    ]
    found = list(events(HEAD, deltas, DONE))
    for body in found:
        check_event(body)
    assert kinds(found)[2:] == [
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done", "output_item.added", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    items = found[-1]["response"]["output"]
    assert [(i["type"], i["id"]) for i in items] == [
        ("message", "msg_0a"), ("function_call", "fc_0a_1"), ("function_call", "fc_0a_2"),
    ]  # fmt: skip
    assert [(i["call_id"], i["name"], i["arguments"]) for i in items[1:]] == [("a", "f", '{"x": 1}'), ("b", "g", "{}")]
    whole = Passage("Well.", tuple(t for d in deltas for t in d.tokens))
    assert output(HEAD, "completed", whole) == items


def test_an_answer_of_calls_alone_has_no_message() -> None:
    found = list(events(HEAD, [called(ToolCallPart(0, "a", "f", "{}"))], DONE))
    (item,) = found[-1]["response"]["output"]
    assert (item["type"], item["id"], item["status"]) == ("function_call", "fc_0a", "completed")


def test_calls_that_take_turns_are_whole() -> None:
    parts = [ToolCallPart(0, "a", "f", '{"x"'), ToolCallPart(1, "b", "g", '{"y"')]
    parts += [ToolCallPart(0, arguments=": 1}"), ToolCallPart(1, arguments=": 2}")]
    items = list(events(HEAD, [called(p) for p in parts], DONE))[-1]["response"]["output"]
    assert [i["arguments"] for i in items] == ['{"x": 1}', '{"y": 2}']
