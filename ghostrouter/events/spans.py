"""The spans of a session that is over: what OpenTelemetry shows of it. Pure: no clock, and nothing of OpenTelemetry.

The root is the HTTP request. Its children are the stages of the router, a `chat` span for each segment (a failed one
and the slower one of two are segments, too), and a `seam` span for each change of engine. No attribute has text of
the prompt or of the answer, and none a message of an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ghostrouter.events import span_names as names
from ghostrouter.events.trace import cost_usd
from ghostrouter.sessions.entries import Outcome
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.span_context import RootSpan, SpanContext

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one moment of a span."""

    name: str
    at_s: float
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are on the session's clock. `link` is the span of the segment before a seam.

    `parent_id` is empty at the beginning of a trace.
    """

    name: str
    kind: Literal["server", "client", "internal"]
    context: SpanContext
    parent_id: str
    start_s: float
    end_s: float
    attributes: Attributes
    events: tuple[SpanEvent, ...] = ()
    link: SpanContext | None = None
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How and when a session ended. `error` is the type of its error; `status` is the HTTP status, if one was sent."""

    outcome: Outcome
    at_s: float
    error: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class _Parts:
    """What all spans of a session are made from. `providers` maps models to OpenTelemetry's names of providers."""

    session: Session
    end: SessionEnd
    root: RootSpan
    providers: Mapping[str, str]

    def is_last(self, segment: Segment) -> bool:
        return segment is self.session.current


def is_exported(session: Session, outcome: Outcome) -> bool:
    """Whether the spans of a session are exported: its trace is sampled, or it is always kept."""
    root = session.ask.root_span
    return root is not None and (root.context.is_sampled or is_always_kept(session, outcome))


def is_always_kept(session: Session, outcome: Outcome) -> bool:
    """Whether a session is exported although its trace is not sampled: it had a handoff or an error."""
    failed = any(part.failure for segment in session.segments for part in (segment, segment.lost) if part)
    return outcome == "failed" or session.handoffs > 0 or failed


def spans(session: Session, root: RootSpan, end: SessionEnd, providers: Mapping[str, str]) -> list[Span]:
    """All spans of a session; the root comes first."""
    parts = _Parts(session, end, root, providers)
    return [_request(parts), *_stages(parts), *_segments(parts)]


def _request(parts: _Parts) -> Span:
    session, root, end = parts.session, parts.root, parts.end
    written = [s.first_token_at_s for s in session.segments if s.first_token_at_s is not None]
    attributes: dict[str, Value | None] = {
        names.HTTP_METHOD: root.method,
        names.HTTP_ROUTE: root.route,
        names.HTTP_STATUS: end.status,
        names.URL_PATH: root.path,
        names.URL_SCHEME: root.scheme,
        names.ERROR_TYPE: end.error or None,
        names.CONVERSATION: session.id,
        names.FINISH_REASONS: (session.finish,) if session.finish else None,
        names.FIRST_CHUNK_S: min(written) - session.opened_at_s if written else None,
        names.OUTCOME: end.outcome,
        names.HANDOFFS: session.handoffs,
        names.KEPT_TOKENS: session.kept_tokens,
        names.COST_USD: cost_usd(session),
    }
    return Span(
        name=f"{root.method} {root.route}",
        kind="server",
        context=root.context,
        parent_id=root.parent_id,
        start_s=session.opened_at_s,
        end_s=end.at_s,
        attributes=_known(attributes),
        has_failed=end.outcome == "failed",
    )


def _stages(parts: _Parts) -> Iterator[Span]:
    """The router's stages: `classify`, and `route` for all that follow. Each begins where the one before it ended."""
    plan, at_s = parts.session.plan, parts.session.opened_at_s
    label, stages_s = plan.classification, dict(parts.root.stages_s)
    classify_s = stages_s.pop("classify", None)
    if classify_s is not None:
        told = (label.task, label.layer, label.confidence) if label else (None, None, None)
        labels = dict(zip((names.TASK, names.LAYER, names.CONFIDENCE), told, strict=True))
        yield _child(parts, "classify", at_s, at_s + classify_s, labels)
        at_s += classify_s
    if stages_s:
        seconds = {names.STAGE_S.format(stage): stage_s for stage, stage_s in stages_s.items()}
        chosen: dict[str, Value] = {names.PLAN: plan.models, names.PROPENSITY: plan.propensity}
        yield _child(parts, "route", at_s, at_s + sum(stages_s.values()), {**chosen, **seconds})


def _segments(parts: _Parts) -> Iterator[Span]:
    before: Segment | None = None
    for segment in parts.session.own_segments:
        if before is not None:
            yield _seam(parts, before, segment)
        yield _chat(parts, segment, before)
        if segment.lost:
            yield _chat(parts, segment.lost, segment)
        before = segment


def _chat(parts: _Parts, segment: Segment, before: Segment | None) -> Span:
    """A segment. It is linked to the one whose text it continues, or which it was to replace."""
    session, sampling, used = parts.session, parts.session.ask.sampling, segment.used
    is_last = parts.is_last(segment)
    failure = segment.failure or (parts.end.error if is_last and not (session.finish or segment.end) else "")
    reason = segment.end.reason if segment.end else session.finish if is_last else None
    attributes: dict[str, Value | None] = {
        names.OPERATION: "chat",
        names.PROVIDER: parts.providers.get(segment.model),
        names.CONVERSATION: session.id,
        names.MODEL: segment.model,
        names.STREAM: True,
        names.MAX_TOKENS: sampling.max_tokens if sampling.wants("max_tokens") else None,
        names.TEMPERATURE: sampling.temperature if sampling.wants("temperature") else None,
        names.TOP_P: sampling.top_p if sampling.wants("top_p") else None,
        names.FINISH_REASONS: (reason,) if reason else None,
        names.FIRST_CHUNK_S: segment.ttft_s,
        names.INPUT_TOKENS: used.prompt_tokens,
        names.OUTPUT_TOKENS: used.completion_tokens,
        names.CACHED_TOKENS: used.cached_tokens,
        names.REASONING_TOKENS: used.reasoning_tokens or None,
        names.ESTIMATED: used.estimated,
        names.COST_USD: segment.cost_usd,
        names.KEPT_TOKENS: len(segment.tokens),
        names.REASON: segment.reason,
        names.REPLICA: segment.replica or None,
        names.IS_LOST_HEDGE: True if before and before.lost is segment else None,
        names.ERROR_TYPE: failure or None,
    }
    return Span(
        name=f"chat {segment.model}",
        kind="client",
        context=parts.root.segment(segment.key.segment),
        parent_id=parts.root.context.span_id,
        start_s=segment.opened_at_s,
        end_s=_end_s(parts, segment),
        attributes=_known(attributes),
        events=tuple(_verdict(parts, segment)),
        link=parts.root.segment(before.key.segment) if before else None,
        has_failed=bool(failure),
    )


def _verdict(parts: _Parts, segment: Segment) -> Iterator[SpanEvent]:
    verdict = segment.end.verdict if segment.end else None
    if verdict is not None:
        attributes: dict[str, Value | None] = {
            names.ACTION: verdict.action,
            names.RISK: verdict.risk,
            names.POSITION: verdict.position,
            names.ONSET: verdict.onset,
        }
        yield SpanEvent("ghostrouter.verdict", _end_s(parts, segment), _known(attributes))


def _seam(parts: _Parts, before: Segment, segment: Segment) -> Span:
    """The change from one segment to the next: from the end of the one to the first token of the other."""
    attributes: dict[str, Value | None] = {
        names.REASON: segment.reason,
        names.SOURCE: before.model,
        names.TARGET: segment.model,
        names.CONTINUATION: segment.continuation,
        names.KV_MODE: segment.kv_mode,
        names.ROLLBACK_TOKENS: segment.rollback_tokens,
        names.STALL_S: segment.stall_s,
    }
    start_s = min(_end_s(parts, before), segment.opened_at_s)
    end_s = _end_s(parts, segment) if segment.first_token_at_s is None else segment.first_token_at_s
    return _child(parts, f"seam {segment.key.segment}", start_s, end_s, attributes, name="seam")


def _end_s(parts: _Parts, segment: Segment) -> float:
    """The end of a segment. If its writer has died, its last token was its end."""
    times = (segment.ended_at_s, parts.end.at_s if parts.is_last(segment) else segment.last_token_at_s)
    return next((t for t in times if t is not None), segment.opened_at_s)


def _child(
    parts: _Parts, key: str, start_s: float, end_s: float, attributes: Mapping[str, Value | None], name: str = ""
) -> Span:
    """A span within the process, below the root. `key` is different for each."""
    root = parts.root.context
    return Span(name or key, "internal", root.child(key), root.span_id, start_s, end_s, _known(attributes))


def _known(attributes: Mapping[str, Value | None]) -> Attributes:
    """The attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}
