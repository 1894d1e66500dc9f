"""Signals of tokens as columns of numbers, and how they travel to telemetry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.signals.kind import kind
from ghostrouter.types import Action, SegmentKey, Token

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
class Reported:
    """One segment of a batch: its `count` tokens from `start` on, and what was made of them in the replica.

    `risk` is that of the last of them. Of `counted` tokens `alarms` alarmed (`detect.monitor.Alarms`).
    """

    key: SegmentKey
    start: int
    count: int
    action: Action = "continue"
    risk: float | None = None
    counted: int = 0
    alarms: int = 0


@dataclass(frozen=True, slots=True)
class SignalBatch:
    """What the segments of a replica have written since its last report, all by `model`.

    `values` has the shape (tokens of all segments one after the other, len(COLUMNS)).
    """

    model: str
    segments: tuple[Reported, ...]
    values: Floats


def matrix(tokens: Sequence[Token]) -> Floats:
    """The signals of consecutive tokens, of shape (tokens, columns)."""
    return np.array([row(t) for t in tokens], dtype=np.float32).reshape(len(tokens), len(COLUMNS))
