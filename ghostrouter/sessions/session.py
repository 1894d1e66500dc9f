"""One answer, across every model that writes a part of it. No clock and no I/O: the conductor drives it.

Invariants, at any time:

* what the client has is the concatenation of the settled tokens' text, cut at a stop string;
* only tokens that are not settled can be taken back, and only from the last segment;
* the answer is the concatenation of the segments' tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ghostrouter.replay.continuation import answer_tokens, estimate_tokens, written_tokens
from ghostrouter.replay.seam import Seam, SeamRequest, piece
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.segment import OpenReason, Segment
from ghostrouter.sessions.stop import StopScanner
from ghostrouter.types import (
    CloudPrompt,
    FinishReason,
    Frame,
    KvMode,
    Plan,
    Prompt,
    SegmentEnd,
    SegmentKey,
    SegmentRequest,
    Token,
    ToolCallPart,
)


@dataclass(frozen=True, slots=True)
class Growth:
    """What became certain: text for the client, and the tokens it was read from, with the segment they belong to.

    `start` is the index of the first of them within the segment; what the segment had from there on is gone. `finish`
    is why the answer is whole with it, None while it is not. A session can be made again of its growths.
    """

    segment: Segment
    start: int = 0
    tokens: tuple[Token, ...] = ()
    text: str = ""
    finish: FinishReason | None = None


class Session:
    """One client request from arrival to its terminal event."""

    def __init__(self, session_id: str, ask: Ask, plan: Plan, now_s: float) -> None:
        self.id = session_id
        self.ask = ask
        self.redacted: dict[str, int] = {}  # how many texts of which kind were taken out of its prompts
        self.plan = plan
        self.opened_at_s = now_s
        self.segments: list[Segment] = []
        self.finish: FinishReason | None = None
        self.text = ""
        self._scanner = StopScanner(ask.sampling.stop)

    @classmethod
    def restore(
        cls, session_id: str, ask: Ask, plan: Plan, opened_at_s: float, growths: Sequence[Growth], later_s: float
    ) -> "Session":
        """A stream as its growths have left it; the clock of this process is `later_s` ahead of its writer's."""
        session = cls(session_id, ask, plan, opened_at_s + later_s)
        for growth in growths:
            session.absorb(growth, later_s)
        session.take_up()
        return session

    def absorb(self, growth: Growth, later_s: float) -> None:
        """Take in a growth that another process has made; its clock is `later_s` behind."""
        known: list[Token] = []
        if self.segments and self.current.key == growth.segment.key:
            known = self.segments.pop().tokens
        del known[growth.start :]
        known += growth.tokens
        self.segments.append(growth.segment.moved(known, later_s))
        self.text += growth.text
        self.finish = growth.finish

    def take_up(self) -> None:
        """Make ready to go on behind the growths that were absorbed."""
        for segment in self.segments:
            segment.settled = len(segment.tokens) if self.ask.streaming else 0
        self._scanner = StopScanner(self.ask.sampling.stop)
        self._scanner.push("".join(s.text for s in self.segments))

    def growth(self, start: int, tokens: Sequence[Token], text: str) -> Growth:
        """What became certain just now, of the current segment."""
        return Growth(self.current, start, tuple(tokens), text, self.finish)

    @property
    def is_whole(self) -> bool:
        """Whether the answer has come to its end."""
        return self.finish is not None

    @property
    def kept_tokens(self) -> int:
        return sum(len(s.tokens) for s in self.segments)

    @property
    def spent_tokens(self) -> int:
        """How much of the client's limit the answer has used, as far as that is known."""
        return answer_tokens(t for s in self.segments for t in s.tokens)

    @property
    def handoffs(self) -> int:
        """How often another engine took over, for whatever reason."""
        return max(0, len(self.segments) - 1)

    @property
    def router_s(self) -> float | None:
        """From its arrival to the first call of a model; None before that."""
        return self.segments[0].opened_at_s - self.opened_at_s if self.segments else None

    @property
    def inference_s(self) -> float | None:
        """From the first call of a model to the last token there is; None before the first."""
        written = [s.last_token_at_s for s in self.segments if s.last_token_at_s is not None]
        return max(written) - self.segments[0].opened_at_s if written else None

    @property
    def current(self) -> Segment:
        return self.segments[-1]

    def open(self, model: str, prompt: Prompt, now_s: float) -> SegmentRequest:
        """Begin with the first model of the plan."""
        return self._request(Segment(self._next_key(), model, "plan", now_s, now_s), prompt, 0)

    def accept(self, frame: Frame, now_s: float) -> Growth:
        """Take in a frame of the current segment. One of a segment that is closed already is ignored."""
        segment = self.current
        if frame.key != segment.key or self.finish:
            return self.growth(len(segment.tokens), (), "")
        if frame.start == 0:
            segment.replica, segment.cached_tokens = frame.replica, frame.cached_tokens
        segment.generated_tokens += sum(map(written_tokens, (*frame.tokens, *(frame.end.held if frame.end else ()))))
        if frame.end is not None:
            segment.generated_tokens += frame.end.dropped_tokens
            segment.usage = frame.end.usage
        if frame.tokens:
            segment.last_token_at_s = now_s
            if segment.first_token_at_s is None:
                segment.first_token_at_s = now_s
        taken, certain, start = [], "", len(segment.tokens)
        for token in frame.tokens:
            taken.append(token)
            certain += self._scanner.push(token.text)
            if self._scanner.stopped:
                self.finish = "stop"
                break
        segment.tokens += taken
        segment.settled = len(segment.tokens) if self.ask.streaming else 0
        if frame.end is not None and not self.finish:
            certain += self._end(frame.end)
        self.text += certain
        return self.growth(start, taken, certain)

    def _end(self, end: SegmentEnd) -> str:
        """Close the current segment; text that waited for a stop string is certain if the answer is done."""
        self.current.end = end
        self.current.tokens += end.held
        if end.reason == "handoff" or end.reason == "hand_back":
            return ""
        self.finish = end.reason
        return self._scanner.flush()

    def seam_request(self, target: str, onset: int | None) -> SeamRequest:
        """Ask how the answer can go on with `target`, giving up the current segment from `onset` on."""
        verdict = self.current.end.verdict if self.current.end else None
        scripted = self.current.end is not None and verdict is None
        return SeamRequest(
            session=self.id,
            messages=self.ask.messages,
            continue_final=self.ask.continue_final,
            pieces=tuple(piece(s.model, s.tokens) for s in self.segments),
            settled=len(self.current.tokens) if scripted else self.current.settled,
            onset=onset,
            target=target,
            features=self.ask.features,
            calm=verdict is not None and verdict.action == "hand_back",
            called=any(isinstance(t.aside, ToolCallPart) for t in self.current.tokens[: self.current.settled]),
        )

    def settle(self, keep: int) -> Growth:
        """Keep `keep` tokens of the current segment, for good, and drop the rest of it."""
        segment = self.current
        start = min(segment.settled, keep)
        fresh = tuple(segment.tokens[start:keep])
        del segment.tokens[keep:]
        segment.settled = keep
        self._scanner = StopScanner(self.ask.sampling.stop)
        text = self._scanner.push("".join(s.text for s in self.segments))
        if self._scanner.stopped:
            self.finish = "stop"
        elif self.spent_tokens >= self.ask.sampling.max_tokens:
            self.finish = "length"
            text += self._scanner.flush()
        certain = text[len(self.text) :]
        self.text = text
        return self.growth(start, fresh, certain)

    def resume(
        self, seam: Seam, reason: OpenReason, detail: str, now_s: float, prepared: KvMode | None = None
    ) -> SegmentRequest:
        """Go on behind a seam that `settle` has cut; `prepared` says what was done for the target's cache."""
        before = self.current
        stalled_since = before.stalled_since_s if before.last_token_at_s is None else before.last_token_at_s
        segment = Segment(self._next_key(), seam.target, reason, now_s, stalled_since)
        segment.continuation, segment.detail = seam.continuation, detail
        segment.rollback_tokens, segment.prepared = seam.rollback_tokens, prepared
        segment.instruction_tokens = seam.cloud.instruction_tokens if seam.cloud else 0
        return self._request(segment, seam.cloud or seam.prompt_ids, seam.kept_tokens)

    def withdraw(self) -> None:
        """The current segment is none of the answer: the one before, which it was to take the place of, has begun."""
        lost = self.segments.pop()
        self.current.lost = lost

    def _next_key(self) -> SegmentKey:
        """A number is used once, also that of a segment which was withdrawn."""
        used = (s.key.segment for segment in self.segments for s in (segment, segment.lost) if s)
        return SegmentKey(self.id, max(used, default=-1) + 1)

    def _request(self, segment: Segment, prompt: Prompt, answer_tokens: int) -> SegmentRequest:
        kept, spent, sampling = self.kept_tokens, self.spent_tokens, self.ask.sampling
        most, least = max(1, sampling.max_tokens - spent), max(0, sampling.min_tokens - spent)
        left = replace(sampling, max_tokens=most, min_tokens=least)
        before = self.segments[-1] if self.segments else None
        leaves = before is not None and before.model == segment.model and segment.reason != "resumed"
        avoid = before.replica if before and leaves else ""
        segment.is_cloud = isinstance(prompt, CloudPrompt)
        segment.prompt_tokens = estimate_tokens(prompt.messages) if isinstance(prompt, CloudPrompt) else len(prompt)
        prefer = next((s.replica for s in reversed(self.segments) if s.model == segment.model), "")
        self.segments.append(segment)
        return SegmentRequest(
            key=segment.key,
            model=segment.model,
            prompt_ids=() if isinstance(prompt, CloudPrompt) else prompt,
            kept_tokens=answer_tokens,
            sampling=left,
            avoid_replica=avoid,
            prefer_replica="" if avoid else prefer,
            scripted_end=min((s.after_tokens - kept for s in self.ask.script if s.after_tokens > kept), default=None),
            cloud=prompt if isinstance(prompt, CloudPrompt) else None,
        )
