"""The signals of all running segments of a replica, as they travel to telemetry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.types import SegmentKey, Token

Floats = npt.NDArray[np.float32]

COLUMNS = (
    "entropy_nats",
    "entropy_lower_nats",
    "entropy_upper_nats",
    "margin",
    "logprob",
    "accepted_drafts",
    "inter_token_s",
    "step_start",
)


def row(token: Token) -> tuple[float, ...]:
    """The signals of one token, in the order of COLUMNS."""
    return (
        token.entropy_nats,
        token.entropy_lower_nats,
        token.entropy_upper_nats,
        token.margin,
        token.logprob,
        float(token.accepted_drafts),
        token.inter_token_s,
        float(token.step_start),
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """One segment of a batch: which tokens it reports and which verdicts it may act on."""

    key: SegmentKey
    start: int
    count: int
    may_hand_off: bool
    may_hand_back: bool


@dataclass(frozen=True, slots=True)
class SignalBatch:
    """Fresh signals of the running segments of one replica, all written by `model`.

    `values` has the shape (tokens of all segments one after the other, len(COLUMNS)). `closed` names
    segments that have ended since the last batch.
    """

    model: str
    segments: tuple[Watched, ...]
    values: Floats
    closed: tuple[SegmentKey, ...] = ()

    def padded(self) -> Floats:
        """The values in the shape (segments, tokens, columns), filled up with NaN."""
        longest = max((s.count for s in self.segments), default=0)
        out = np.full((len(self.segments), longest, len(COLUMNS)), np.nan, dtype=np.float32)
        offset = 0
        for i, segment in enumerate(self.segments):
            out[i, : segment.count] = self.values[offset : offset + segment.count]
            offset += segment.count
        return out


def matrix(tokens: Sequence[Token]) -> Floats:
    """The signals of consecutive tokens, of shape (tokens, columns)."""
    return np.array([row(t) for t in tokens], dtype=np.float32).reshape(len(tokens), len(COLUMNS))
