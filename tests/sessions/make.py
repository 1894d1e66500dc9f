"""Entries of a session store, made in a line."""

from typing import Any

from ghostrouter.conversation import Message
from ghostrouter.sessions import encoding
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.entries import Ending, Entry, Epoch, Kind, Opening, Outcome
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Plan, Sampling, SegmentKey
from tests.make import tokens

ASK = Ask((Message("user", "?"),), Sampling(max_tokens=100), streaming=True)
FIRST, SECOND = Epoch(0, "a"), Epoch(1, "b")


def opening(session: str = "s", **fields: Any) -> Opening:
    return Opening(session, "me", ASK, Plan(("small",), ""), 3, 0.0, None, **fields)


def opened(session: str = "s", epoch: Epoch = FIRST, kind: Kind = "opening") -> Entry:
    return Entry(session, epoch, kind, 0, encoding.opening_bytes(opening(session)), "me")


def growth(text: str = "ab", number: int = 0, session: str = "s") -> Growth:
    segment = Segment(SegmentKey(session, 0), "small", "plan", 0.0, 0.0)
    return Growth(segment, 2 * number, tokens(text), text)


def grown(number: int, text: str = "ab", session: str = "s", epoch: Epoch = FIRST) -> Entry:
    return Entry(session, epoch, "growth", number, encoding.GrowthWriter().write(growth(text, number, session)))


def ended(number: int = 0, outcome: Outcome = "complete", epoch: Epoch = FIRST, session: str = "s") -> Entry:
    ending = Ending(outcome, {"id": session})
    return Entry(session, epoch, "ending", number, encoding.ending_bytes(ending), outcome=outcome)


def renewed(number: int = 0, epoch: Epoch = FIRST, session: str = "s") -> Entry:
    return Entry(session, epoch, "renewal", number)
