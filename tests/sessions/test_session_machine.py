"""Any interleaving of tokens, verdicts, deaths, cancelled writers and resumes leaves the answer whole.

Every engine here knows the same endless answer. Tokens behind a verdict's onset are rubbish that must never be seen.
"""

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ghostrouter.conversation import Message
from ghostrouter.replay.seam import Seam, rollback_point
from ghostrouter.sessions import encoding
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.entries import Entry, Epoch, Opening
from ghostrouter.sessions.memory_store import MemoryStore
from ghostrouter.sessions.record import Kept, Record
from ghostrouter.sessions.segment import OpenReason
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Frame, Plan, Sampling, SegmentEnd, SegmentKey
from tests.make import tokens

LEASE_S = 10
MAX_TOKENS = 60
ANSWER = "".join(chr(ord("a") + i % 26) for i in range(MAX_TOKENS))
STOP = "xyzabc"  # appears once its last letter comes the second time round
ASK = Ask((Message("user", "?"),), Sampling(max_tokens=MAX_TOKENS, stop=(STOP, "!?")), streaming=True)
EXPECTED = ANSWER[: ANSWER.index(STOP)]
PLAN = Plan(("small", "large"), "")


class Answering(RuleBasedStateMachine):
    """A session, its journal, and a client that may be behind."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = count()
        self.store = MemoryStore(keep_s=1e9, max_bytes=10**8, lease_s=LEASE_S)
        self.session = Session("s", ASK, PLAN, 0.0)
        self.opening = encoding.opening_bytes(Opening("s", "me", ASK, PLAN, 1, 0.0, None))
        self.number = 0
        self.epoch = Epoch(0, "a")
        self.encoder = encoding.GrowthWriter()
        self.store.write(Entry("s", self.epoch, "opening", 0, self.opening, "me"), 0.0)
        self.client, self.client_number = "", 0
        self.session.open("small", (0,), 0.0)

    def record(self) -> Record:
        kept = self.store.read("s", "me", None, float(next(self.now_s)))
        assert isinstance(kept, Kept)
        return Record.of(kept)

    def deliver(self, growth: Growth, *, lost: bool = False) -> None:
        """Journal first, then the client - unless its connection is gone."""
        if not (growth.text or growth.tokens):
            return
        entry = Entry("s", self.epoch, "growth", self.number, self.encoder.write(growth))
        assert self.store.write(entry, float(next(self.now_s))) == "ok"
        self.number += 1
        if not lost:
            self.client += growth.text
            self.client_number = self.number

    def next_text(self, n: int) -> str:
        at = self.session.kept_tokens
        return ANSWER[at : at + n]

    def cross(self, onset: int | None, reason: OpenReason) -> None:
        current = self.session.current
        keep = rollback_point([t.text for t in current.tokens], current.settled, onset)
        target = "large" if current.model == "small" else "small"
        seam = Seam(target, keep, len(current.tokens) - keep, "token_ids", (0,), self.session.kept_tokens)
        self.deliver(self.session.settle(keep))
        if not self.session.finish:
            request = self.session.resume(seam, reason, "", 0.0)
            assert request.sampling.max_tokens == MAX_TOKENS - self.session.kept_tokens > 0

    @precondition(lambda self: not self.session.finish)
    @rule(n=st.integers(1, 9), lost=st.booleans())
    def tokens_come(self, n: int, lost: bool) -> None:
        text, current = self.next_text(n), self.session.current
        frame = Frame(current.key, len(current.tokens), tokens(text))
        # Behind a gap nothing reaches the client: its connection is gone.
        self.deliver(self.session.accept(frame, 0.0), lost=lost or self.client_number < self.number)

    @precondition(lambda self: not self.session.finish)
    @rule(right=st.integers(0, 4), rubbish=st.integers(0, 4))
    def a_verdict_ends_the_segment(self, right: int, rubbish: int) -> None:
        self.come_back()
        text, current = self.next_text(right), self.session.current
        onset = len(current.tokens) + len(text)
        end = SegmentEnd("handoff", held=tokens(text + "#" * rubbish))
        self.deliver(self.session.accept(Frame(current.key, len(current.tokens), (), end), 0.0))
        self.cross(onset, "handoff")

    @precondition(lambda self: not self.session.finish)
    @rule()
    def the_engine_dies(self) -> None:
        self.come_back()
        self.cross(None, "failure")

    @precondition(lambda self: len(self.session.segments) > 1)
    @rule(n=st.integers(1, 5))
    def a_closed_segment_still_talks(self, n: int) -> None:
        old = SegmentKey("s", self.session.current.key.segment - 1)
        before = self.session.text
        late = self.session.accept(Frame(old, 0, tokens("#" * n), SegmentEnd("stop")), 0.0)
        assert (late.text, late.tokens, self.session.text) == ("", (), before)

    @rule()
    def come_back(self) -> None:
        """The client comes back with the number of what it has."""
        for growth in self.record().growths[self.client_number :]:
            self.client += growth.text
        self.client_number = self.number

    @precondition(lambda self: not self.session.finish)
    @rule(zombie=st.booleans())
    def the_ingress_dies(self, zombie: bool) -> None:
        """Another one claims the session; the first, if it still lives, is not listened to."""
        now_s = next(self.now_s) + 2 * LEASE_S
        self.now_s = count(now_s)
        kept = self.store.claim("s", "me", "b", now_s)
        assert isinstance(kept, Kept)
        if zombie:
            growth = self.session.accept(Frame(self.session.current.key, 0, tokens(self.next_text(2))), 0.0)
            for stale in (
                Entry("s", self.epoch, "growth", self.number, self.encoder.write(growth)),
                Entry("s", self.epoch, "ending", self.number, outcome="disconnected"),
            ):
                assert self.store.write(stale, now_s) == "moved"
        assert kept.claimed
        self.epoch = kept.epoch
        self.encoder = encoding.GrowthWriter()
        self.session = Session.restore("s", ASK, PLAN, 0.0, Record.of(kept).growths, 1.0)
        self.come_back()
        if self.session.segments:
            self.cross(None, "resumed")
        else:
            self.session.open("small", (0,), 0.0)

    @invariant()
    def the_client_has_a_beginning_of_the_answer(self) -> None:
        assert EXPECTED.startswith(self.client)
        assert self.session.text.startswith(self.client)

    @invariant()
    def a_finished_answer_is_the_answer(self) -> None:
        if self.session.finish:
            assert (self.session.text, self.session.finish) == (EXPECTED, "stop")
            self.come_back()
            assert self.client == EXPECTED


Answering.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnswering = Answering.TestCase
