"""The events of a finished session besides its trace: what was asked, and how the signals went."""

import hashlib
from collections.abc import Sequence
from typing import Any

from ghostrouter.events.records import Event
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.types import Token

POINTS = 64
"""Most points of the signals of one segment."""


def session_events(session: Session, owner: str, at_s: float, keep_texts: bool) -> list[Event]:
    """The events of a session. Without `keep_texts` none of them has a word of prompt or answer."""
    events = [Event(f"{session.id}/request", session.id, "request", owner, at_s, request(session, owner, keep_texts))]
    if signals := [_signals(segment) for segment in session.segments if segment.tokens]:
        body = {"segments": signals}
        events.append(Event(f"{session.id}/signals", session.id, "signals", owner, at_s, body))
    return events


def request(session: Session, owner: str, keep_texts: bool) -> dict[str, Any]:
    """What was asked: a digest and the length of each message, and with `keep_texts` the texts.

    The digests are keyed by the owner, so that equal prompts of two callers cannot be recognised. `segments` has the
    kept text of each model, and `abandoned` what was given up at the handoff after it. Texts of a session that is
    redacted strictly are not kept.
    """
    messages = session.ask.messages
    body: dict[str, Any] = {
        "turns": [{"role": m.role, "digest": digest(m.content, owner), "characters": len(m.content)} for m in messages]
    }
    if keep_texts and session.ask.behalf.discretion.mode != "strict":
        body["messages"] = [{"role": m.role, "content": m.content} for m in messages]
        body["answer"] = session.text
        body["segments"] = [
            {"model": s.model, "reason": s.reason, "text": s.text, "abandoned": s.abandoned} for s in session.segments
        ]
    return body


def digest(text: str, owner: str) -> str:
    """A short digest of a text of a caller."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=owner[:64].encode()).hexdigest()


def _signals(segment: Segment) -> dict[str, Any]:
    """The signals of a segment, at most POINTS of them: each is the mean of its tokens, of the risk the highest."""
    tokens = segment.tokens
    step = -(-len(tokens) // POINTS)
    blocks = [tokens[i : i + step] for i in range(0, len(tokens), step)]
    return {
        "model": segment.model,
        "tokens_per_point": step,
        "entropy_nats": [_mean([t.entropy_nats for t in b if t.rank]) for b in blocks],
        "margin": [_mean([t.margin for t in b if t.rank]) for b in blocks],
        "logprob": [_mean([t.logprob for t in b if t.rank]) for b in blocks],
        "risk": [_highest(b) for b in blocks],
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _highest(tokens: Sequence[Token]) -> float | None:
    risks = [t.risk for t in tokens if t.risk is not None]
    return round(max(risks), 4) if risks else None
