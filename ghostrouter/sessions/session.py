"""One answer, across every model that writes a part of it. No clock and no I/O: the conductor drives it.

Always true:

* the client has the text of the settled tokens, cut at a stop string;
* only tokens that are not settled can be taken back, and only from the last segment;
* the answer is the text of all segments' tokens, in order.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ghostrouter.conversation import NO_FEATURES, images_of
from ghostrouter.replay.continuation import answer_tokens, estimate_prompt_tokens, generated_tokens
from ghostrouter.replay.seam import Seam, SeamRequest, piece
from ghostrouter.sessions.ask import Ask, ScriptedHandoff
from ghostrouter.sessions.segment import OpenReason, Segment
from ghostrouter.sessions.stop import StopScanner
from ghostrouter.types import (
    NOTHING_WRITTEN,
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
    Written,
)


@dataclass(frozen=True, slots=True)
class Growth:
    """A part of the answer that has become certain: text for the client, and the tokens it was read from.

    `start` is the index of the first of these tokens within `segment`. It replaces everything the segment had from
    there on. `finish` is set if the answer is complete with this growth. The growths alone are enough to restore a
    session.
    """

    segment: Segment
    start: int = 0
    tokens: tuple[Token, ...] = ()
    text: str = ""
    finish: FinishReason | None = None


class Session:
    """One client request from arrival to its terminal event.

    `gone` are the models of its segments that are not configured any more, where it goes on.
    """

    def __init__(self, session_id: str, ask: Ask, plan: Plan, now_s: float) -> None:
        self.id = session_id
        self.ask = ask
        self.redacted: dict[str, int] = {}  # how many texts were redacted in its prompts, by kind
        self.plan = plan
        self.opened_at_s = now_s
        self.segments: list[Segment] = []
        self.gone: frozenset[str] = frozenset()
        self.finish: FinishReason | None = None
        self.text = ""
        self._scanner = StopScanner(ask.sampling.stop)
        self._scripted_tokens = 0

    @classmethod
    def restore(
        cls, session_id: str, ask: Ask, plan: Plan, opened_at_s: float, growths: Sequence[Growth], later_s: float
    ) -> "Session":
        """Restore a session from its growths. The clock of this process is `later_s` ahead of the writer's."""
        session = cls(session_id, ask, plan, opened_at_s + later_s)
        for growth in growths:
            session.absorb(growth, later_s)
        session.take_up()
        return session

    def absorb(self, growth: Growth, later_s: float) -> None:
        """Add a growth that another process has made. Its clock is `later_s` behind."""
        known: list[Token] = []
        if self.segments and self.current.key == growth.segment.key:
            known = self.segments.pop().tokens
        del known[growth.start :]
        known += growth.tokens
        self.segments.append(growth.segment.moved(known, later_s))
        self.text += growth.text
        self.finish = growth.finish

    def take_up(self) -> None:
        """Get ready to write after the growths that were added."""
        for segment in self.segments:
            segment.settled = len(segment.tokens) if self.ask.streaming else 0
        self._scanner = StopScanner(self.ask.sampling.stop)
        self._scanner.push("".join(s.text for s in self.segments))

    def restrict(self, models: Collection[str]) -> None:
        """Let only these models go on with it. The plan has at least one of them."""
        self.gone = frozenset(s.model for s in self.segments) - frozenset(models)
        self.plan = replace(self.plan, models=tuple(m for m in self.plan.models if m in models))
        self.ask = replace(self.ask, script=tuple(s for s in self.ask.script if s.to in models))

    def growth(self, start: int, tokens: Sequence[Token], text: str) -> Growth:
        """A growth of the current segment."""
        return Growth(self.current, start, tuple(tokens), text, self.finish)

    @property
    def is_whole(self) -> bool:
        """Whether the answer is complete."""
        return self.finish is not None

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended the answer; None if none did."""
        scanner = StopScanner(self.ask.sampling.stop)
        scanner.push("".join(s.text for s in self.segments))
        return scanner.found

    @property
    def kept_tokens(self) -> int:
        return sum(len(s.tokens) for s in self.segments)

    @property
    def spent_tokens(self) -> int:
        """How many tokens of the client's limit the answer has used, as far as that is known."""
        return answer_tokens(t for s in self.segments for t in s.tokens)

    @property
    def own_segments(self) -> list[Segment]:
        """The segments without those that were copied from another session."""
        return [s for s in self.segments if not s.copied]

    @property
    def handoffs(self) -> int:
        """How often another engine took over, for any reason."""
        return sum(s.took_over for s in self.own_segments[1:])

    @property
    def router_s(self) -> float | None:
        """Time from the request's arrival to the first call of a model; None before that call."""
        own = self.own_segments
        return own[0].opened_at_s - self.opened_at_s if own else None

    @property
    def inference_s(self) -> float | None:
        """Time from the first call of a model to the last token so far; None before the first token."""
        own = self.own_segments
        written = [s.last_token_at_s for s in own if s.last_token_at_s is not None]
        return max(written) - own[0].opened_at_s if written else None

    @property
    def current(self) -> Segment:
        return self.segments[-1]

    @property
    def next_scripted(self) -> ScriptedHandoff | None:
        """The next handoff of the script; None: there is no more.

        Each happens once, although its seam may take back tokens: those that have begun a character or a call.
        """
        reached = max(self.kept_tokens, self._scripted_tokens)
        return min((s for s in self.ask.script if s.after_tokens > reached), key=lambda s: s.after_tokens, default=None)

    def open(self, model: str, prompt: Prompt, now_s: float) -> SegmentRequest:
        """Start the first segment, with the first model of the plan."""
        return self._request(Segment(self._next_key(), model, "plan", now_s, now_s), prompt, 0)

    def accept(self, frame: Frame, now_s: float) -> Growth:
        """Add a frame of the current segment. Frames of closed segments are ignored."""
        segment = self.current
        if frame.key != segment.key or self.finish:
            return self.growth(len(segment.tokens), (), "")
        if frame.start == 0:
            segment.replica, segment.cached_tokens = frame.replica, frame.cached_tokens
        segment.generated_tokens += generated_tokens(frame)
        if frame.pressure is not None:
            segment.pressure = frame.pressure
        if frame.end is not None:
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
        """End the current segment. If the answer is complete, return the text that was held for a stop string."""
        self.current.end = end
        self.current.tokens += end.held
        if end.reason == "handoff" or end.reason == "hand_back":
            if end.verdict is None:
                self._scripted_tokens = self.kept_tokens
            return ""
        self.finish = end.reason
        return self._scanner.flush()

    def seam_request(self, target: str, onset: int | None) -> SeamRequest:
        """A request for the seam to `target`. The tokens of the current segment from `onset` on are to be removed."""
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
            called=any(isinstance(t.aside, ToolCallPart) for s in self.segments for t in s.tokens[: s.settled]),
        )

    def settle(self, keep: int) -> Growth:
        """Settle the first `keep` tokens of the current segment, and drop the rest."""
        segment = self.current
        start = min(segment.settled, keep)
        fresh = tuple(segment.tokens[start:keep])
        segment.abandoned = "".join(t.text for t in segment.tokens[keep:])
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
        """Start the next segment after the seam. `prepared` is how the target's KV cache was prepared."""
        before = self.current
        stalled_since = before.stalled_since_s if before.last_token_at_s is None else before.last_token_at_s
        segment = Segment(self._next_key(), seam.target, reason, now_s, stalled_since)
        segment.continuation, segment.detail = seam.continuation, detail
        segment.rollback_tokens, segment.prepared = seam.rollback_tokens, prepared
        segment.instruction_tokens = seam.cloud.instruction_tokens if seam.cloud else 0
        return self._request(segment, seam.cloud or seam.prompt_ids, seam.kept_tokens)

    def withdraw(self) -> None:
        """Remove the current segment. The one before it, which it was to replace, has started to write after all."""
        lost = self.segments.pop()
        self.current.lost = lost

    def _next_key(self) -> SegmentKey:
        """The key of the next segment. A number is never used twice, not even that of a withdrawn segment."""
        used = (s.key.segment for segment in self.segments for s in (segment, segment.lost) if s)
        return SegmentKey(self.id, max(used, default=-1) + 1)

    def _request(self, segment: Segment, prompt: Prompt, answer_tokens: int) -> SegmentRequest:
        spent, sampling, scripted = self.spent_tokens, self.ask.sampling, self.next_scripted
        most, least = max(1, sampling.max_tokens - spent), max(0, sampling.min_tokens - spent)
        left = replace(sampling, max_tokens=most, min_tokens=least)
        before = self.segments[-1] if self.segments else None
        root_span, number = self.ask.root_span, segment.key.segment
        stays = segment.reason in ("resumed", "branch", "paused")
        leaves = before is not None and before.model == segment.model and not stays
        avoid = before.replica if before and leaves else ""
        segment.is_cloud = isinstance(prompt, CloudPrompt)
        segment.prompt_tokens = (
            estimate_prompt_tokens(prompt.messages) if isinstance(prompt, CloudPrompt) else len(prompt)
        )
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
            scripted_end=scripted.after_tokens - self.kept_tokens if scripted else None,
            cloud=prompt if isinstance(prompt, CloudPrompt) else None,
            trace_headers=root_span.segment(number).headers if root_span else (),
            with_risks=self.ask.signals,
            question=None if answer_tokens else self.ask.question,
            features=NO_FEATURES if segment.is_cloud else self.ask.features,
            written=Written.of(t for s in self.segments for t in s.tokens) if before else NOTHING_WRITTEN,
            images=() if segment.is_cloud else images_of(self.ask.messages),
        )
