from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.api.errors import to_wire
from ghostrouter.api.responses_events import Ending, Event, Stream, events
from ghostrouter.api.responses_object import Ended, head, response, usage
from ghostrouter.api.responses_request import from_wire
from ghostrouter.api.written import Passage, is_told
from ghostrouter.errors import SessionMoved
from ghostrouter.money import Usage
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
    assert found[-1]["response"] == response(HEAD, "completed", Passage("hey"), DONE.usage, DONE.ghost)


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
    assert len(live) == 4 + sum(is_told(d, head.logprobs) for d in deltas)


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
