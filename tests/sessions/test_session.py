from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.conversation import Message
from ghostrouter.replay.seam import Seam, rollback_point
from ghostrouter.sessions.ask import Ask, ScriptedHandoff
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import CloudPrompt, Frame, Plan, Sampling, SegmentEnd, SegmentKey
from tests.make import frames, tokens

ASK = Ask((Message("user", "?"),), Sampling(max_tokens=100), streaming=True)


def session(ask: Ask = ASK) -> Session:
    made = Session("s", ask, Plan(("small", "large"), ""), 0.0)
    made.open("small", (1, 2, 3), 0.0)
    return made


def seam(s: Session, onset: int | None) -> Seam:
    texts = [t.text for t in s.current.tokens]
    keep = rollback_point(texts, s.current.settled, onset)
    return Seam("large", keep, len(texts) - keep, "token_ids", (1, 2, 3), keep)


def hand_over(s: Session, onset: int | None, now_s: float = 0.0) -> str:
    """Cut at a seam and go on; what became certain by it."""
    cut = seam(s, onset)
    certain = s.settle(cut.keep).text
    if not s.finish:
        s.resume(cut, "handoff", "", now_s)
    return certain


def feed(s: Session, text: str, end: SegmentEnd, now_s: float = 0.0) -> str:
    return "".join(s.accept(f, now_s).text for f in frames(s.current.key, text, end))


def test_an_answer_of_one_segment() -> None:
    s = session()
    assert feed(s, "hello", SegmentEnd("stop")) == "hello"
    assert (s.text, s.finish, s.kept_tokens, s.handoffs) == ("hello", "stop", 5, 0)


def test_a_handoff_drops_the_held_tokens_behind_the_onset() -> None:
    s = session()
    seen = feed(s, "two and ", SegmentEnd("handoff", held=tokens("5 is 6")))
    assert seen == "two and "
    seen += hand_over(s, onset=len("two and "))
    seen += feed(s, "2 is 4", SegmentEnd("stop"))
    assert seen == s.text == "two and 2 is 4"
    assert s.segments[1].rollback_tokens == len("5 is 6")


def test_what_came_behind_a_verdict_costs_and_is_no_part_of_the_answer() -> None:
    s = session()
    end = SegmentEnd("handoff", held=tokens("X"), dropped_tokens=5)
    s.accept(Frame(s.current.key, 0, tokens("ab"), end), 1.0)
    assert (s.current.text, s.current.used.completion_tokens) == ("abX", 8)


def test_held_tokens_before_the_onset_are_delivered() -> None:
    s = session()
    feed(s, "ab", SegmentEnd("handoff", held=tokens("cdX")))
    assert hand_over(s, onset=4) == "cd"
    assert s.text == "abcd"


def test_what_a_client_has_read_stays_whatever_the_onset() -> None:
    s = session()
    feed(s, "abc", SegmentEnd("handoff"))
    hand_over(s, onset=1)
    assert s.text == "abc"


def test_without_a_reader_rollback_goes_anywhere() -> None:
    s = session(replace(ASK, streaming=False))
    feed(s, "abXYZ", SegmentEnd("handoff", held=tokens("!")))
    hand_over(s, onset=2)
    feed(s, "cd", SegmentEnd("stop"))
    assert s.text == "abcd"


@pytest.mark.parametrize("streaming", [True, False])
def test_a_stop_string_straddles_the_seam(streaming: bool) -> None:
    s = session(replace(ASK, streaming=streaming, sampling=Sampling(max_tokens=100, stop=("END",))))
    seen = feed(s, "abcE", SegmentEnd("handoff"))
    seen += hand_over(s, onset=None)
    seen += feed(s, "ND and more", SegmentEnd("length"))
    assert s.text == "abc"
    assert s.finish == "stop"
    if streaming:
        assert seen == "abc"


def test_a_rollback_takes_a_half_stop_string_back() -> None:
    s = session(replace(ASK, sampling=Sampling(max_tokens=100, stop=("END",))))
    seen = feed(s, "ab", SegmentEnd("handoff", held=tokens("EN")))
    seen += hand_over(s, onset=2)
    seen += feed(s, "Dc", SegmentEnd("stop"))
    assert seen == "abDc"


def test_max_tokens_count_over_the_whole_answer() -> None:
    s = session(replace(ASK, sampling=Sampling(max_tokens=10)))
    feed(s, "abcd", SegmentEnd("handoff"))
    cut = seam(s, None)
    s.settle(cut.keep)
    request = s.resume(cut, "handoff", "", 0.0)
    assert request.sampling.max_tokens == 6


def test_a_seam_at_the_last_token_ends_the_answer() -> None:
    s = session(replace(ASK, sampling=Sampling(max_tokens=4)))
    feed(s, "abc", SegmentEnd("handoff", held=tokens("d")))
    assert hand_over(s, onset=None) == "d"
    assert s.finish == "length"


def test_frames_of_a_closed_segment_are_ignored() -> None:
    s = session()
    feed(s, "ab", SegmentEnd("handoff"))
    hand_over(s, onset=None)
    assert s.accept(Frame(SegmentKey("s", 0), 2, tokens("late")), 0.0).text == ""
    assert s.text == "ab"


def test_stall_is_from_the_last_token_kept_to_the_first_of_the_next() -> None:
    s = session()
    feed(s, "ab", SegmentEnd("handoff"), now_s=1.0)
    hand_over(s, None, now_s=1.5)
    feed(s, "c", SegmentEnd("stop"), now_s=2.0)
    assert s.segments[0].stall_s is None
    assert (s.segments[1].stall_s, s.segments[1].ttft_s) == (1.0, 0.5)


def test_a_script_tells_each_segment_where_to_end() -> None:
    script = (ScriptedHandoff(3, "large"), ScriptedHandoff(8, "small"))
    s = Session("s", replace(ASK, script=script), Plan(("small",), ""), 0.0)
    assert s.open("small", (), 0.0).scripted_end == 3
    feed(s, "abc", SegmentEnd("handoff"))
    cut = seam(s, None)
    s.settle(cut.keep)
    assert s.resume(cut, "scripted", "", 0.0).scripted_end == 5


def test_a_scripted_handoff_happens_once_though_its_seam_takes_back_a_token() -> None:
    """The seam moves back where the answer is cut inside a character, or before a call has a name."""
    script = (ScriptedHandoff(3, "large"), ScriptedHandoff(8, "small"))
    s = session(replace(ASK, script=script))
    feed(s, "abc", SegmentEnd("handoff"))
    s.settle(2)
    assert s.resume(seam(s, None), "scripted", "", 0.0).scripted_end == 6
    assert s.next_scripted == script[1]


def test_a_scripted_seam_is_where_the_script_says() -> None:
    script = (ScriptedHandoff(3, "large"),)
    s = session(replace(ASK, streaming=False, script=script))
    feed(s, "abc", SegmentEnd("handoff"))
    assert s.seam_request("large", None).settled == 3


def test_a_cloud_model_is_asked_with_messages() -> None:
    asked = CloudPrompt(ASK.messages, "restart", "", 5)
    s = Session("s", ASK, Plan(("far",), ""), 0.0)
    request = s.open("far", asked, 0.0)
    assert (request.cloud, request.prompt_ids) == (asked, ())
    feed(s, "ab", SegmentEnd("handoff"))
    go_on = CloudPrompt(ASK.messages, "instruct", "ab", 5, instruction_tokens=9)
    s.settle(2)
    request = s.resume(Seam("far", 2, 0, "instruct", (), 0, go_on), "failure", "", 0.0)
    assert (request.cloud, request.sampling.max_tokens) == (go_on, 98)
    assert (s.current.continuation, s.current.instruction_tokens) == ("instruct", 9)


segments = st.lists(
    st.tuples(st.text("ab€😀", max_size=6), st.text("ab€😀", max_size=5), st.none() | st.integers(0, 12)), max_size=6
)


@given(segments, st.booleans(), st.lists(st.text("ab", min_size=1, max_size=3), max_size=2))
def test_the_client_gets_exactly_the_kept_tokens(
    parts: list[tuple[str, str, int | None]], streaming: bool, stops: list[str]
) -> None:
    ask = replace(ASK, streaming=streaming, sampling=Sampling(max_tokens=1000, stop=tuple(stops)))
    s, seen = session(ask), ""
    for free, held, onset in parts:
        if s.finish:
            break
        seen += feed(s, free, SegmentEnd("handoff", held=tokens(held)))
        if not s.finish:
            seen += hand_over(s, onset)
        if streaming:
            assert s.text == seen
    if not s.finish:
        seen += feed(s, "end", SegmentEnd("stop"))
    kept = "".join(segment.text for segment in s.segments)
    if streaming:
        assert seen == s.text
    assert kept.startswith(s.text)
    assert s.finish is not None
    if not any(stop in kept for stop in stops):
        assert s.text == kept


@given(segments, st.lists(st.text("ab", min_size=1, max_size=3), max_size=2), st.integers(0, 30))
def test_a_stream_can_be_made_again_of_its_growths(
    parts: list[tuple[str, str, int | None]], stops: list[str], lost_after: int
) -> None:
    s = session(replace(ASK, sampling=Sampling(max_tokens=1000, stop=tuple(stops))))
    growths: list[Growth] = []
    states: list[tuple[str, list[tuple[int, str]]]] = []

    def keep(growth: Growth) -> None:
        if not (growth.text or growth.tokens):
            return
        growths.append(growth)
        states.append((s.text, written(s)))

    for free, held, onset in parts:
        for frame in frames(s.current.key, free, SegmentEnd("handoff", held=tokens(held))):
            keep(s.accept(frame, 1.0))
        cut = seam(s, onset)
        if not s.finish:
            keep(s.settle(cut.keep))
        if s.finish:
            break
        s.resume(cut, "handoff", "", 1.0)
    lost = min(lost_after, len(states))
    again = Session.restore("s", s.ask, s.plan, 0.0, growths[:lost], later_s=5.0)
    assert (again.text, written(again)) == (states[lost - 1] if lost else ("", []))


def written(s: Session) -> list[tuple[int, str]]:
    """What can not be taken back any more, by segment."""
    texts = [(x.key.segment, "".join(t.text for t in x.tokens[: x.settled])) for x in s.segments]
    return [(number, text) for number, text in texts if text]


def test_only_the_segment_that_begins_the_answer_is_told_the_question() -> None:
    talk = (Message("user", "x" * 5000 + "?"), Message("assistant", "Hm."))
    s = Session("s", replace(ASK, messages=talk), Plan(("small", "large"), ""), 0.0)
    assert s.open("small", (1, 2, 3), 0.0).question == "x" * 3999 + "?"
    feed(s, "abcd", SegmentEnd("stop"))
    assert s.resume(seam(s, None), "handoff", "", 0.0).question is None
