"""The spans of sessions, as a pure tree."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv import schemas
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, url_attributes

from ghostrouter.conversation import Message
from ghostrouter.events import span_names
from ghostrouter.events.spans import SessionEnd, Span, is_always_kept, spans
from ghostrouter.money import Usage
from ghostrouter.replay.seam import Seam
from ghostrouter.sessions import encoding
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.span_context import RootSpan, SpanContext
from ghostrouter.types import Classification, Frame, Plan, Sampling, SegmentEnd, Verdict
from tests.make import tokens

STAGES = (("classify", 0.1), ("encode", 0.2), ("plan", 0.3))
ROOT = RootSpan(SpanContext("a" * 32, "b" * 16, True), "c" * 16, "POST", "/call", "/ghost/call", "https", STAGES)
SAMPLING = Sampling(100, temperature=0.5, top_p=0.9, seed=7, stop=("planted stop",))
ASK = Ask((Message("user", "planted prompt"),), SAMPLING, streaming=True, root_span=ROOT)
PLAN = Plan(("small", "large"), "planted plan", Classification("code", "rules", 0.75, "planted reason"))
PROVIDERS = {"small": "vllm", "large": "openai"}


class Story:
    """A session that is told step by step. It opens at 10 s; a step has its time."""

    def __init__(self) -> None:
        self.session = Session("s", ASK, PLAN, 10.0)
        self.requests = [self.session.open("small", (1, 2, 3), 11.0)]

    def writes(self, at_s: float, text: str, end: SegmentEnd | None = None) -> Growth:
        segment = self.session.current
        if end:
            segment.ended_at_s = at_s
        frame = Frame(segment.key, len(segment.tokens), tokens(text), end, f"{segment.model}-1", cached_tokens=1)
        return self.session.accept(frame, at_s)

    def resumes(self, at_s: float, reason: Any, target: str = "large", rollback: int = 0) -> Growth:
        keep = len(self.session.current.tokens) - rollback
        settled = self.session.settle(keep)
        seam = Seam(target, keep, rollback, "token_ids", (1, 2, 3, *range(keep)), keep)
        self.requests.append(self.session.resume(seam, reason, "planted detail", at_s))
        return settled

    def spans(self, **end: Any) -> list[Span]:
        return spans(self.session, ROOT, replace(SessionEnd("complete", 20.0), **end), PROVIDERS)


def verdict(story: Story, risk: float = 0.9) -> SegmentEnd:
    return SegmentEnd("handoff", tokens("xy"), Verdict(story.session.current.key, 4, "handoff", risk, 2))


def handed_off() -> Story:
    story = Story()
    story.writes(12.0, "ab")
    story.writes(13.0, "", verdict(story))
    story.resumes(14.0, "handoff", rollback=2)
    story.writes(15.5, "cd", SegmentEnd("stop", usage=Usage(5, 3, 1, 1)))
    return story


def shape(found: list[Span]) -> list[tuple[str, str, float, float]]:
    return [(s.name, s.kind, round(s.start_s, 6), round(s.end_s, 6)) for s in found]


def test_a_handoff() -> None:
    story = handed_off()
    story.session.segments[1].cost_usd = 0.25
    found = story.spans(status=200)
    assert shape(found) == [
        ("POST /call", "server", 10.0, 20.0),
        ("classify", "internal", 10.0, 10.1),
        ("route", "internal", 10.1, 10.6),
        ("chat small", "client", 11.0, 13.0),
        ("seam", "internal", 13.0, 15.5),
        ("chat large", "client", 14.0, 15.5),
    ]
    root, classify, route, first, seam, second = found
    assert root.context == ROOT.context and root.parent_id == ROOT.parent_id
    assert {s.parent_id for s in found[1:]} == {ROOT.context.span_id}
    assert {s.context.trace_id for s in found} == {ROOT.context.trace_id}
    assert len({s.context.span_id for s in found}) == len(found)
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/call",
        "http.response.status_code": 200,
        "url.path": "/ghost/call",
        "url.scheme": "https",
        "gen_ai.conversation.id": "s",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 2.0,
        "ghostrouter.outcome": "complete",
        "ghostrouter.handoffs": 1,
        "ghostrouter.kept_tokens": 4,
        "ghostrouter.cost_usd": 0.25,
    }
    assert classify.attributes == {
        "ghostrouter.task": "code",
        "ghostrouter.layer": "rules",
        "ghostrouter.confidence": 0.75,
    }
    assert route.attributes == {
        "ghostrouter.plan": ("small", "large"),
        "ghostrouter.propensity": 1.0,
        "ghostrouter.encode_s": 0.2,
        "ghostrouter.plan_s": 0.3,
    }
    assert first.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.conversation.id": "s",
        "gen_ai.request.model": "small",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.response.finish_reasons": ("handoff",),
        "gen_ai.response.time_to_first_chunk": 1.0,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 1,
        "ghostrouter.usage_estimated": False,
        "ghostrouter.kept_tokens": 2,
        "ghostrouter.reason": "plan",
        "ghostrouter.replica": "small-1",
    }
    (event,) = first.events
    assert (event.name, event.at_s) == ("ghostrouter.verdict", 13.0)
    assert event.attributes == {
        "ghostrouter.action": "handoff",
        "ghostrouter.risk": 0.9,
        "ghostrouter.position": 4,
        "ghostrouter.onset": 2,
    }
    assert seam.attributes == {
        "ghostrouter.reason": "handoff",
        "ghostrouter.source": "small",
        "ghostrouter.target": "large",
        "ghostrouter.continuation": "token_ids",
        "ghostrouter.kv_mode": "prefix_cache",
        "ghostrouter.rollback_tokens": 2,
        "ghostrouter.stall_s": 3.5,
    }
    told = second.attributes
    assert (told["gen_ai.usage.output_tokens"], told["gen_ai.usage.reasoning.output_tokens"]) == (3, 1)
    assert told["ghostrouter.cost_usd"] == 0.25
    assert second.link == first.context and first.link is None


def test_the_engines_are_told_the_spans_of_their_segments() -> None:
    story = handed_off()
    chats = [s for s in story.spans() if s.kind == "client"]
    assert [dict(r.trace_headers) for r in story.requests] == [
        {"traceparent": f"00-{'a' * 32}-{s.context.span_id}-01"} for s in chats
    ]


def test_without_tracing_no_engine_is_told_anything() -> None:
    session = Session("s", replace(ASK, root_span=None), PLAN, 0.0)
    assert session.open("small", (1,), 0.0).trace_headers == ()


def test_the_caller_s_state_goes_with_the_context() -> None:
    context = SpanContext("a" * 32, "b" * 16, False, "vendor=1")
    assert context.child("x").headers == (
        ("traceparent", f"00-{'a' * 32}-{context.child('x').span_id}-00"),
        ("tracestate", "vendor=1"),
    )


def test_a_failure_and_the_model_that_goes_on() -> None:
    story = Story()
    story.session.current.failure, story.session.current.ended_at_s = "ProviderBusy", 12.0
    story.resumes(14.0, "failure")
    story.writes(15.0, "cd", SegmentEnd("length"))
    found = {s.name: s for s in story.spans()}
    first = found["chat small"]
    assert (first.has_failed, first.end_s, first.attributes["error.type"]) == (True, 12.0, "ProviderBusy")
    assert "gen_ai.response.finish_reasons" not in first.attributes
    assert "gen_ai.response.time_to_first_chunk" not in first.attributes
    assert not found["chat large"].has_failed and not found["POST /call"].has_failed
    assert found["seam"].attributes["ghostrouter.reason"] == "failure"
    assert is_always_kept(story.session, "complete")


def test_a_session_that_fails() -> None:
    story = Story()
    story.writes(12.0, "ab")
    found = story.spans(outcome="failed", error="DeadlineExceeded", at_s=13.0, status=504)
    root, chat = found[0], found[-1]
    assert root.has_failed and chat.has_failed
    assert root.attributes["error.type"] == chat.attributes["error.type"] == "DeadlineExceeded"
    assert chat.end_s == root.end_s == 13.0
    assert is_always_kept(story.session, "failed")


def test_a_client_that_leaves_is_no_failure() -> None:
    story = Story()
    story.writes(12.0, "ab")
    found = story.spans(outcome="disconnected")
    assert not any(s.has_failed for s in found)
    assert "http.response.status_code" not in found[0].attributes
    assert not is_always_kept(story.session, "disconnected")


def test_a_session_without_a_segment() -> None:
    story = Story()
    story.session.segments.clear()
    found = story.spans(outcome="failed", error="NothingCanAnswer")
    assert [s.name for s in found] == ["POST /call", "classify", "route"]


def test_a_hedge_that_loses() -> None:
    story = Story()
    story.resumes(12.0, "hedge")
    hedge = story.session.current
    hedge.ended_at_s, hedge.failure = 13.0, "SegmentFailed"
    story.session.withdraw()
    story.writes(13.0, "ab", SegmentEnd("stop"))
    found = story.spans()
    assert shape(found)[-2:] == [("chat small", "client", 11.0, 13.0), ("chat large", "client", 12.0, 13.0)]
    first, lost = found[-2:]
    assert lost.attributes["ghostrouter.lost_hedge"] is True
    assert "ghostrouter.lost_hedge" not in first.attributes
    assert "gen_ai.response.finish_reasons" not in lost.attributes
    assert (lost.has_failed, first.has_failed) == (True, False)
    assert lost.link == first.context
    assert lost.context.span_id in dict(story.requests[1].trace_headers)["traceparent"]
    assert is_always_kept(story.session, "complete")


def test_a_hedge_that_wins() -> None:
    story = Story()
    late = story.session.current
    story.resumes(12.0, "hedge")
    late.ended_at_s = 13.0
    story.writes(13.0, "ab", SegmentEnd("stop"))
    assert shape(story.spans())[-3:] == [
        ("chat small", "client", 11.0, 13.0),
        ("seam", "internal", 12.0, 13.0),
        ("chat large", "client", 12.0, 13.0),
    ]


def test_a_resumed_session_has_the_spans_that_its_dead_writer_announced() -> None:
    """Its writer's clock is 100 s behind. The growths come through the session store."""
    story = Story()
    story.resumes(11.5, "hedge")
    story.session.current.ended_at_s = 11.8
    story.session.withdraw()
    growths = [story.writes(12.0, "ab"), story.writes(12.5, "cd")]
    writer, reader = encoding.GrowthWriter(), encoding.GrowthReader()
    kept = [reader.read(writer.write(g)) for g in growths]
    after = Story()
    after.session = Session.restore("s", ASK, PLAN, 10.0, kept, 100.0)
    after.resumes(115.0, "resumed", "small")
    after.writes(116.0, "ef", SegmentEnd("stop"))
    found = spans(after.session, ROOT, SessionEnd("complete", 117.0), PROVIDERS)
    assert shape(found) == [
        ("POST /call", "server", 110.0, 117.0),
        ("classify", "internal", 110.0, 110.1),
        ("route", "internal", 110.1, 110.6),
        ("chat small", "client", 111.0, 112.5),
        ("chat large", "client", 111.5, 111.8),
        ("seam", "internal", 112.5, 116.0),
        ("chat small", "client", 115.0, 116.0),
    ]
    announced = [dict(r.trace_headers)["traceparent"] for r in (*story.requests, after.requests[-1])]
    chats = [s for s in found if s.kind == "client"]
    assert [s.context.headers[0][1] for s in chats] == announced
    assert not any(s.has_failed for s in found)


@given(st.sampled_from(["handoff", "failure", "drain", "refused"]), st.text(min_size=1), st.floats(0, 1))
def test_no_text_gets_into_a_span(reason: str, text: str, risk: float) -> None:
    story = Story()
    story.writes(12.0, f"planted {text}")
    story.writes(13.0, "planted", verdict(story, risk))
    story.resumes(14.0, reason)
    story.writes(15.0, f"planted {text}", SegmentEnd("stop"))
    assert "planted" not in repr(story.spans())


def test_most_sessions_are_left_to_the_sampler() -> None:
    story = Story()
    story.writes(12.0, "ab", SegmentEnd("stop"))
    assert not is_always_kept(story.session, "complete")
    assert is_always_kept(handed_off().session, "complete")


def test_the_names_are_those_of_the_pinned_conventions() -> None:
    modules = (gen_ai_attributes, http_attributes, url_attributes, error_attributes)
    known = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    ours = {value for name, value in vars(span_names).items() if name.isupper() and isinstance(value, str)}
    assert {n for n in ours if n.startswith(("gen_ai.", "http.", "url.", "error."))} <= known
    assert schemas.Schemas.V1_44_0.value == span_names.SCHEMA_URL
    names = {provider.value for provider in gen_ai_attributes.GenAiProviderNameValues}
    assert set(span_names.PROVIDERS.values()) - {"vllm"} <= names
