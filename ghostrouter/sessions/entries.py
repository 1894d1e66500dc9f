"""What a writer sends to the session store, and what the store answers."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ghostrouter.sessions.ask import Ask
from ghostrouter.types import Plan

Outcome = Literal["running", "complete", "failed", "disconnected", "cancelled"]
Kind = Literal["opening", "again", "growth", "ending", "renewal"]
Answer = Literal["ok", "exists", "moved", "cancelled", "missing", "expired"]


class Epoch(NamedTuple):
    """Names the writer of a session. The higher epoch may write; no two writers have the same one.

    A claim sets the next `number`. `writer` is a random name. It tells two writers apart that were given the same
    number, which can happen after the store has lost its memory.
    """

    number: int
    writer: str


@dataclass(frozen=True, slots=True)
class Opening:
    """The first entry of a session. `wire` is what its API repeats in every event; `owner` is who may resume it.

    `request_hash` tells two requests with the same idempotency key apart; it is empty without a key.
    """

    session: str
    owner: str
    ask: Ask
    plan: Plan
    prompt_tokens: int
    opened_at_s: float
    wire: Any
    request_hash: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: its trace, and its error if it failed."""

    outcome: Outcome
    trace: dict[str, Any]
    error: str = ""

    @property
    def redacted(self) -> dict[str, int]:
        """How many texts were redacted in the prompts, by kind."""
        return dict(self.trace.get("redaction", {}).get("taken_out", {}))


class Entry(NamedTuple):
    """One entry of a session: an opening, a growth or an ending as bytes, or the renewal of the lease.

    `number` counts growths from 0. In an ending or a renewal it is the number of growths before it. The kind `again` is
    an opening that is sent a second time, because the store may have lost the session. Only openings have an `owner`,
    only endings have an `outcome`.
    """

    session: str
    epoch: Epoch
    kind: Kind
    number: int = 0
    payload: bytes = b""
    owner: str = ""
    outcome: Outcome = "running"
