"""The signals of all running segments of a replica, as they travel to telemetry."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.signals.kind import kind
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
    "top_logprob",
    "second_gap",
    "kind",
    "draft_acceptance",
    "repetition",
    "novelty",
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
        token.top_logprob,
        token.second_gap,
        float(kind(token.text)),
        token.draft_acceptance,
        token.repetition,
        float(token.novelty),
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """One segment of a batch: which tokens it reports, and the risks at which it is worth changing the model.

    NaN means the threshold of the model's calibration; `hand_off_at` infinite and `hand_back_below` minus infinite
    forbid the verdict.
    """

    key: SegmentKey
    start: int
    count: int
    hand_off_at: float = math.nan
    hand_back_below: float = math.nan


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
