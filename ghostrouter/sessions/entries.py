"""What a writer sends to the session store, and what the store says to it."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ghostrouter.sessions.ask import Ask
from ghostrouter.types import Plan

Outcome = Literal["running", "complete", "failed", "disconnected", "cancelled"]
Kind = Literal["opening", "again", "growth", "ending", "renewal"]
Answer = Literal["ok", "exists", "moved", "cancelled", "missing", "expired"]


class Epoch(NamedTuple):
    """Who may write a session. The higher epoch writes; two writers never have the same one.

    A claim sets the next `number`. `writer` is a random name: after the store has lost its memory two writers may have
    been given the same number.
    """

    number: int
    writer: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session began with. `wire` is what its API repeats in every event; `owner` names who may resume it.

    `request_hash` tells requests apart that bring the same idempotency key; empty where there is none.
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
    """How a session ended, with its trace, and what went wrong if it failed."""

    outcome: Outcome
    trace: dict[str, Any]
    error: str = ""

    @property
    def redacted(self) -> dict[str, int]:
        """How many texts of which kind were taken out of the prompts."""
        return dict(self.trace.get("redaction", {}).get("taken_out", {}))


class Entry(NamedTuple):
    """One line of a session for the store: an opening, a growth or an ending as bytes, or the renewal of the lease.

    `number` counts growths from 0; in an ending and a renewal, how many growths there are before it. An opening that
    is sent `again` belongs to a session that the store may have lost. Only openings have an `owner`, only endings an
    `outcome`.
    """

    session: str
    epoch: Epoch
    kind: Kind
    number: int = 0
    payload: bytes = b""
    owner: str = ""
    outcome: Outcome = "running"
