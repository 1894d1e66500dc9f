"""GET /v1/sessions/{id}: a kept session as JSON, token by token, with the time of each."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from ghostrouter.api.signals import SignalsWriter
from ghostrouter.events.trace import summary
from ghostrouter.sessions.record import Record
from ghostrouter.sessions.session import Growth, Session


def to_wire(known: Record, redacted: Record, now_s: float, keep_s: float, with_texts: bool) -> dict[str, Any]:
    """The JSON of a session. `redacted` is the same session as its client has it.

    Where answers are redacted there are no tokens: their texts and signals would reveal what was redacted. Not
    `with_texts`: an admin reads how the answer was written, and neither prompt nor answer.
    """
    opening, session = known.opening, known.session(now_s)
    ask, label = opening.ask, opening.plan.classification
    covers = ask.behalf.discretion.covers_answers
    tokens, seams = ([], []) if covers else _tokens_and_seams(known, session)
    if not with_texts:
        tokens = [{**token, "text": "", "alternatives": None} for token in tokens]
    return {
        "id": opening.session,
        "object": "session",
        "outcome": known.outcome,
        "finish_reason": session.finish,
        "messages": [{"role": m.role, "content": m.content} for m in ask.messages] if with_texts else None,
        "text": "".join(growth.text for growth in redacted.growths) if with_texts else None,
        "branch_of": asdict(ask.branch) if ask.branch else None,
        "classification": asdict(label) if label else None,
        "plan": list(opening.plan.models),
        "plan_reason": opening.plan.reason,
        "tokens": tokens,
        "seams": seams,
        "ghost": known.trace or summary(session),
        "kept_s": max(0.0, round(keep_s - known.kept.silent_s, 1)),
    }


def _tokens_and_seams(known: Record, session: Session) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The objects of `ghost.signals` and `ghost.seam`, each token with the time of its arrival, `at_ms`."""
    writer, tokens, seams, at_s = SignalsWriter(), list[dict[str, Any]](), list[dict[str, Any]](), 0.0
    for growth in known.growths:
        told, ghost = writer.write(growth, session.segments)
        seams += [seam["seam"] for seam in told]
        for token, when_s in zip(
            ghost["signals"] if ghost else (), _times(growth, known.opening.opened_at_s), strict=True
        ):
            at_s = max(at_s, when_s)
            tokens.append({**token, "at_ms": round(1e3 * at_s, 1)})
    return tokens, seams


def _times(growth: Growth, opened_at_s: float) -> Sequence[float]:
    """When each token of a growth came, in seconds since the session was opened.

    The growth tells when its last one came, and each token how long it took after the one before it.
    """
    last_s = (growth.segment.last_token_at_s or opened_at_s) - opened_at_s
    later = accumulate(reversed([t.inter_token_s for t in growth.tokens[1:]]), initial=0.0)
    return [last_s - ahead for ahead in later][::-1] if growth.tokens else ()
