"""The trace: the public record of a session. It tells which model wrote which characters, why, and how long it took."""

from dataclasses import asdict
from typing import Any

from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.types import Plan

# The keys of `summary`.
SUMMARY = ("id", "plan", "handoffs", "cost_usd", "estimated", "redaction", "router_ms", "inference_ms", "segments")


def summary(session: Session) -> dict[str, Any]:
    """The `ghost` object of an answer."""
    segments, start = [], 0
    for segment in session.segments:
        end = min(start + len(segment.text), len(session.text))
        segments.append({**_segment(segment, start, end), "at_ms": _ms(segment.opened_at_s - session.opened_at_s)})
        start = end
    return {
        "id": session.id,
        "plan": list(session.plan.models),
        "handoffs": session.handoffs,
        "cost_usd": cost_usd(session),
        "estimated": any(s.used.estimated for s in session.segments if s.cost_usd),
        "redaction": _redaction(session),
        "router_ms": _ms(session.router_s),
        "inference_ms": _ms(session.inference_s),
        "segments": segments,
    }


def _redaction(session: Session) -> dict[str, Any]:
    """How the session was redacted, and who acknowledged that it was redacted less than configured.

    `taken_out` counts what was taken out of prompts, by kind. If answers are redacted, the `characters` of segments
    count the text before redaction.
    """
    policy = session.ask.behalf.discretion
    return {
        "mode": policy.mode,
        "answers": policy.covers_answers,
        "acknowledged": policy.acknowledged or None,
        "taken_out": dict(session.redacted),
    }


def cost_usd(session: Session) -> float:
    """The cost of an answer in US dollars: the sum over all calls of models whose cost is known."""
    return sum((s.cost_usd or 0.0) + ((s.lost and s.lost.cost_usd) or 0.0) for s in session.segments)


def _segment(segment: Segment, start: int, end: int) -> dict[str, Any]:
    return {
        "model": segment.model,
        "replica": segment.replica,
        "reason": segment.reason,
        "detail": segment.detail,
        "tokens": len(segment.tokens),
        "characters": [start, end],
        "rollback_tokens": segment.rollback_tokens,
        "instruction_tokens": segment.instruction_tokens,
        "continuation": segment.continuation,
        "kv_mode": segment.kv_mode if segment.continuation else None,
        "cached_tokens": segment.cached_tokens,
        "usage": asdict(segment.used),
        "cost_usd": segment.cost_usd,
        "ttft_ms": _ms(segment.ttft_s),
        "stall_ms": _ms(segment.stall_s),
        "copied": segment.copied,
        "hedge": segment.lost and {"model": segment.lost.model, "cost_usd": segment.lost.cost_usd},
    }


def trace(session: Session, outcome: str, now_s: float) -> dict[str, Any]:
    """The whole trace of a session, without prompt and answer. `now_s` is on the session's clock."""
    label = session.plan.classification
    return {
        **summary(session),
        "outcome": outcome,
        "branch_of": asdict(session.ask.branch) if session.ask.branch else None,
        "plan_reason": session.plan.reason,
        "ineligible": dict(session.plan.ineligible),
        "scores": {model: dict(terms) for model, terms in session.plan.scores},
        "classification": None
        if label is None
        else {"task": label.task, "layer": label.layer, "confidence": label.confidence, "reason": label.reason},
        "propensity": session.plan.propensity,
        "shadow": _shadow(session.plan),
        "bandit": None if session.plan.bandit is None else asdict(session.plan.bandit),
        "finish_reason": session.finish,
        "completion_tokens": session.kept_tokens,
        "usage": _told_usage(session),
        "duration_ms": _ms(now_s - session.opened_at_s),
    }


def _told_usage(session: Session) -> dict[str, Any] | None:
    """What the provider says of an answer that one cloud model wrote alone; None: nobody says."""
    told = session.segments[0].usage if len(session.segments) == 1 else None
    return None if told is None else asdict(told)


def _shadow(plan: Plan) -> dict[str, Any] | None:
    """The plan of the learned router in shadow mode, and whether it begins with the same model."""
    shadow = plan.shadow
    if shadow is None:
        return None
    return {
        "plan": list(shadow.models),
        "agrees": shadow.models[:1] == plan.models[:1],
        "probabilities": dict(shadow.probabilities),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
