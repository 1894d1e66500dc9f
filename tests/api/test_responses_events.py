from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.api.errors import to_wire
from ghostrouter.api.responses_events import Ending, Stream, events
from ghostrouter.api.responses_items import Event, output
from ghostrouter.api.responses_object import Ended, head, response, usage
from ghostrouter.api.responses_request import from_wire
from ghostrouter.api.written import Passage, is_told
from ghostrouter.errors import SessionMoved
from ghostrouter.money import Usage
from ghostrouter.types import ToolCallPart
from tests.api.openai_types import check_event
from tests.make import token

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
    found = list(events(HEAD, [Passage("he"), Passage(""), Passage("y")], DONE))
    assert [(e["sequence_number"], kind) for e, kind in zip(found, kinds(found), strict=True)] == [
        (0, "created"),
        (1, "in_progress"),
        (2, "output_item.added"),
        (3, "content_part.added"),
        (4, "output_text.delta"),
        (5, "output_text.delta"),
        (6, "output_text.done"),
        (7, "content_part.done"),
        (8, "output_item.done"),
        (9, "completed"),
    ]
    assert [e["delta"] for e in found[4:6]] == ["he", "y"]
    assert found[0]["response"] == found[1]["response"] == response(HEAD, "in_progress")
    assert found[-1]["response"] == response(
        HEAD, "completed", output(HEAD, "completed", Passage("hey")), DONE.usage, DONE.ghost
    )


@given(heads, delta_lists, endings)
def test_every_event_is_openai_s_and_the_numbers_are_contiguous(
    head: Any, deltas: list[Passage], ending: Ending
) -> None:
    found = [check_event(body) for body in events(head, deltas, ending)]
    assert [e.sequence_number for e in found] == list(range(len(found)))
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
    seen = data.draw(st.integers(0, len(whole) + 1))
    assert list(events(head, deltas, ending, starting_after=seen)) == whole[seen + 1 :]


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


@pytest.mark.parametrize(("starting_after", "seen"), [(None, 4), (2, 4), (10, 10)])
def test_after_an_error_a_client_resumes_where_it_was(starting_after: int | None, seen: int) -> None:
    stream = Stream(HEAD, starting_after)
    stream.begin()
    stream.write(Passage("a"))
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
