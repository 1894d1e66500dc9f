import json
from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Message
from ghostrouter.errors import SegmentFailed
from ghostrouter.providers.segment import CloudSegment
from ghostrouter.providers.sse import Event
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Sampling, Token

ASKED = (Message("user", "Who?"),)


def segment(
    kept: str = "",
    scripted_end: int | None = None,
    continues: str = "instruct",
    calibration: str | None = None,
    usage: str = "none",
    **sampling: Any,
) -> CloudSegment:
    row = {
        "name": "c",
        "base_url": "http://h",
        "model": "m",
        "context_tokens": 99,
        "continues": continues,
        "stream_usage": usage,
        "calibration": calibration,
    }
    model = CloudModel.model_validate(row)
    prompt = cloud_prompt(model, ASKED, False, kept)
    return CloudSegment(model, prompt, Sampling(**{"max_tokens": 9} | sampling), scripted_end, 0.0)


DONE = Event("[DONE]")


def event(content: str, finish: str | None = None, logprobs: Any = None) -> Event:
    choice = {"delta": {"content": content}, "finish_reason": finish, "logprobs": logprobs}
    return Event(json.dumps({"choices": [choice]}))


def told(event: Event, prompt: int, completion: int, cached: int | None = None) -> Event:
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return Event(json.dumps(json.loads(event.data) | {"usage": usage}))


def text(tokens: list[Token]) -> str:
    return "".join(t.text for t in tokens)


def test_usage_told_with_every_event_holds_for_a_call_that_is_cut_off() -> None:
    s = segment(usage="always")
    s.push(told(event("Mira"), 20, 1), 0)
    s.push(told(event(" was"), 20, 2), 0)
    assert (s.usage.prompt_tokens, s.usage.completion_tokens, s.usage.estimated) == (20, 2, False)
    s.push(told(event(".", "stop"), 20, 3), 0)
    still_open = not s.over
    s.push(told(Event(json.dumps({"choices": []})), 20, 3, 16), 0)
    s.push(DONE, 0)
    assert still_open, "the last event tells what was cached"
    assert s.usage.cached_tokens == 16
    assert s.over


def test_what_was_written_to_the_providers_cache_is_told() -> None:
    s = segment(usage="asked")
    s.push(event(".", "stop"), 0)
    details = {"cached_tokens": 0, "cache_write_tokens": 1800}
    used = {"prompt_tokens": 2000, "completion_tokens": 1, "prompt_tokens_details": details}
    s.push(Event(json.dumps({"choices": [], "usage": used})), 0)
    assert (s.usage.prompt_tokens, s.usage.cache_write_tokens, s.usage.estimated) == (2000, 1800, False)


def test_what_is_known_of_a_token_without_log_probabilities() -> None:
    token = segment().push(event("Mira was"), 0.25)[0]
    assert (token.id, token.text, token.inter_token_s) == (-1, "Mira was", 0.25)
    assert (token.rank, token.logprob, token.margin, token.entropy_nats, token.entropy_upper_nats) == (
        0,
        -9999,
        0,
        0,
        0,
    )


def test_a_model_that_is_judged_by_its_text() -> None:
    s = segment("Who knows?", calibration="c.json")
    said = [s.push(event(said), 0)[0] for said in ("Who is", " Mira", " and", " 1999?")]
    assert [t.novelty for t in said] == [0, 2, 0, 1]
    assert segment().push(event("Mira"), 0)[0].novelty == 0, "nobody judges it"


def test_signals_from_log_probabilities() -> None:
    top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    entries = [{"token": t, "logprob": p, "top_logprobs": top} for t, p in (("b", -1.5), ("z", -7.0))]
    likely, unlikely = segment(top_logprobs=1).push(event("bz", logprobs={"content": entries}), 0.25)
    assert (likely.rank, unlikely.rank, likely.margin) == (2, 3, 1.0)
    assert 0 < likely.entropy_lower_nats < likely.entropy_nats < likely.entropy_upper_nats
    assert likely.alternatives == (("a", -0.5),)
    assert (likely.top_logprob, unlikely.top_logprob, likely.second_gap) == (-0.5, -0.5, 0.0)
    assert (likely.inter_token_s, unlikely.inter_token_s) == (0.25, 0.0)


def test_another_ghostrouter_tells_exact_entropies() -> None:
    entry = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -0.5}], "entropy_nats": 0.75}
    (token,) = segment().push(event("a", logprobs={"content": [entry]}), 0.25)
    assert (token.entropy_lower_nats, token.entropy_nats, token.entropy_upper_nats) == (0.75, 0.75, 0.75)


def test_an_echo_is_held_then_dropped() -> None:
    s = segment("She was born in Tarvik.")
    assert s.push(event("born in"), 0) == []
    assert text(s.push(event(" Tarvik. There", "stop"), 0)) == " There"
    assert (s.finish, s.over) == ("stop", False)
    s.push(DONE, 0)
    assert s.over


def test_what_is_held_leaves_with_the_end() -> None:
    s = segment("She was born in Tarvik.")
    assert s.push(event("born"), 0) == s.push(event("", "stop"), 0) == []
    assert text(s.close(0)) == "born"


@pytest.mark.parametrize(
    ("events", "scripted_end", "written", "reason"),
    [
        # The provider counts its tokens; an event may hold any number of them.
        ([event("a"), event("b"), event("c", "length")], None, "abc", "length"),
        ([event("a"), event("b", "stop"), DONE], None, "ab", "stop"),
        ([event("a"), event("b")], 1, "a", "length"),
        ([event("a", "stop"), DONE], 1, "a", "stop"),
        ([event("a"), event("", "length")], None, "a", "length"),
        ([event("a", "stop"), event("b"), DONE, event("c")], None, "ab", "stop"),
    ],
)
def test_where_it_ends(events: list[Event], scripted_end: int | None, written: str, reason: str) -> None:
    s = segment(scripted_end=scripted_end, max_tokens=2)
    told = [t for e in events for t in s.push(e, 0)]
    assert (text([*told, *s.close(0)]), s.finish) == (written, reason)


def test_an_echo_has_no_tokens_of_its_own_beyond_the_limit() -> None:
    s = segment("She was born in Tarvik.", max_tokens=2)
    told = [t for piece in (" In", " a", " year") for t in s.push(event(piece), 0)]
    assert (text(told), s.finish, s.over) == (" In a", "length", True)


def test_done_without_a_finish_reason_is_a_failure_where_one_was_to_come() -> None:
    for before in ([], [event("a", None)]):
        s = segment()
        for e in before:
            s.push(e, 0)
        with pytest.raises(SegmentFailed, match="without a finish reason"):
            s.push(DONE, 0)
    s = segment()
    s.push(event("a", ""), 0)
    s.push(DONE, 0)
    assert (s.finish, s.over) == ("stop", True)


@pytest.mark.parametrize(
    ("kept", "pieces", "written"),
    [
        ("the town ", [" of", " Yarrow"], "of Yarrow"),
        ("the town ", [" ", " of"], "of"),
        ("the town ", ["of", " Yarrow"], "of Yarrow"),
        ("the town", [" of", " Yarrow"], " of Yarrow"),
        ("  ", [" of"], " of"),
        ("if x:\n    ", ["\n", "    y"], "y"),
    ],
)
def test_white_space_before_a_seam_is_written_once(kept: str, pieces: list[str], written: str) -> None:
    s = segment(kept, continues="assistant")
    assert text([t for p in pieces for t in s.push(event(p), 0)]) == written


STOPS = {"stop": [". "], "include_stop_str_in_output": True}


def pausing(wanted: bool = True, **row: Any) -> CloudSegment:
    fields = {"calibration": "c.json", "logprobs": True, "pause_fields": STOPS, "continues": "assistant"} | row
    model = CloudModel.model_validate(
        {"name": "c", "base_url": "http://h", "model": "m", "context_tokens": 99} | fields
    )
    prompt = replace(cloud_prompt(model, ASKED, False, ""), pauses=wanted)
    return CloudSegment(model, prompt, Sampling(max_tokens=9), None, 0.0)


def stopped(content: str, token: str, by: str | None = ". ", finish: str = "stop") -> Event:
    """The last event of vLLM, which cuts the text behind the stop string and names the whole token."""
    logprobs = {"content": [{"token": token, "logprob": -0.1, "top_logprobs": []}]}
    choice = {"delta": {"content": content}, "finish_reason": finish, "stop_reason": by, "logprobs": logprobs}
    return Event(json.dumps({"choices": [choice]}))


@pytest.mark.parametrize(("last", "texts"), [((" ", " She"), ["Mira.", " She"]), ((" ", " "), ["Mira.", " "])])
def test_a_pause_leaves_whole_tokens(last: tuple[str, str], texts: list[str]) -> None:
    s = pausing()
    told = s.push(event("Mira.", logprobs={"content": [{"token": "Mira.", "logprob": -0.1, "top_logprobs": []}]}), 0)
    told += s.push(stopped(*last), 0) + s.push(DONE, 0) + s.close(0)
    assert ([t.text for t in told], s.paused) == (texts, True)


@pytest.mark.parametrize(
    ("s", "last"),
    [
        (pausing(), stopped("", "<end>", by=None)),
        (pausing(), stopped("", "<end>", by="end_turn")),
        (pausing(), stopped(" ", " She", finish="length")),
        (pausing(wanted=False), stopped(" ", " She")),
        (pausing(continues="instruct"), stopped(" ", " She")),
        (pausing(reasons=True), stopped(" ", " She")),
        (pausing(calibration=None), stopped(" ", " She")),
    ],
)
def test_an_end_that_nobody_asked_for_is_no_pause(s: CloudSegment, last: Event) -> None:
    s.push(last, 0)
    s.push(DONE, 0)
    s.close(0)
    assert not s.paused
