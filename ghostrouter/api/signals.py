"""`ghost.signals` and `ghost.seam`: what a client gets that asks for the signals of each token.

A token has one object in `ghost.signals`, in a stream as in a whole answer. In a stream every change of model is also a
chunk of its own, with `ghost.seam`.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.signals.slope import slope
from ghostrouter.types import SegmentKey, Token

MOST_ALTERNATIVES = 5
SLOPE_TOKENS = 8
_DIGITS = 6


class SignalsWriter:
    """Makes the objects of one answer, in order and from its first token on."""

    def __init__(self) -> None:
        self._position = 0  # of the next token in the answer
        self._seams_told = -1  # the number of the last segment whose seam is told
        self._key: SegmentKey | None = None
        self._entropies = deque[float](maxlen=SLOPE_TOKENS)
        self._drafted = False

    def write(self, growth: Growth, segments: Sequence[Segment]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """The `ghost` objects for a growth: one for each seam before it, and that of its own chunk.

        `segments` are those of the session so far. A growth without tokens has no object of its own (None).
        """
        last = growth.segment.key.segment
        seams = [
            {"seam": self._seam(source.model, target)}
            for source, target in pairwise(segments)
            if self._seams_told < target.key.segment <= last
        ]
        self._seams_told = max(last, self._seams_told)
        return seams, {"signals": self.tokens(growth.segment, growth.tokens)} if growth.tokens else None

    def tokens(self, segment: Segment, tokens: Iterable[Token]) -> list[dict[str, Any]]:
        """One object for each of the next tokens. All of them are of one segment."""
        if segment.key != self._key:
            self._key, self._drafted = segment.key, False
            self._entropies.clear()
        return [self._token(segment, token) for token in tokens]

    def _token(self, segment: Segment, token: Token) -> dict[str, Any]:
        position, self._position = self._position, self._position + 1
        knows_others = token.id >= 0 or bool(token.alternatives)
        knows_entropy = knows_others or token.entropy_upper_nats > 0
        if knows_entropy:
            self._entropies.append(token.entropy_nats)
        # The average stays 1 if all drafts are accepted, but then some are.
        self._drafted = self._drafted or token.accepted_drafts > 0 or token.draft_acceptance < 1
        return {
            "text": token.text,
            "model": segment.model,
            "segment": segment.key.segment,
            "position": position,
            "entropy_nats": _rounded(token.entropy_nats) if knows_entropy else None,
            "slope": _rounded(slope(self._entropies)) if knows_entropy else None,
            "margin": _rounded(token.margin) if knows_others else None,
            "logprob": _logprob(token.logprob) if token.rank > 0 else None,
            "draft_acceptance": _rounded(token.draft_acceptance) if self._drafted else None,
            "risk": None if token.risk is None else _rounded(token.risk),
            "alternatives": [
                {"text": text, "logprob": _logprob(logprob)} for text, logprob in token.alternatives[:MOST_ALTERNATIVES]
            ]
            if knows_others
            else None,
        }

    def _seam(self, source: str, target: Segment) -> dict[str, Any]:
        """The change of model before the next token."""
        stall_s = target.stall_s
        return {
            "from": source,
            "to": target.model,
            "reason": target.reason,
            "detail": target.detail,
            "rollback_tokens": target.rollback_tokens,
            "kv_mode": target.kv_mode if target.continuation else None,
            "continuation": target.continuation,
            "stall_ms": None if stall_s is None else round(stall_s * 1000, 2),
            "segment": target.key.segment,
            "position": self._position,
        }


def of_answer(segments: Iterable[Segment]) -> list[dict[str, Any]]:
    """The objects of all tokens of a whole answer."""
    writer = SignalsWriter()
    return [told for segment in segments for told in writer.tokens(segment, segment.tokens)]


def _logprob(value: float) -> float:
    """A log-probability; -9999 at least, because JSON has no infinity."""
    return _rounded(max(value, -9999.0))


def _rounded(value: float) -> float:
    return round(value, _DIGITS) + 0.0  # no -0.0
