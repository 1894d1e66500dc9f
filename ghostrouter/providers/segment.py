"""One segment that a cloud model writes: events in, tokens out, why it ended and what it used."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ghostrouter.config import CloudModel
from ghostrouter.errors import SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.providers.adapters import ADAPTERS
from ghostrouter.providers.chunk import Written, merged
from ghostrouter.replay.continuation import estimate_text_tokens, estimate_tokens
from ghostrouter.replay.echo import EchoTrimmer
from ghostrouter.signals.entropy import EntropyBounds, bounds
from ghostrouter.signals.steps import StepTracker
from ghostrouter.signals.surface import SurfaceTracker
from ghostrouter.types import (
    Aside,
    CloudPrompt,
    FinishReason,
    ReasoningPart,
    Sampling,
    Token,
    ToolCallPart,
)

NO_ID = -1
_UNKNOWN_LOGPROB = -9999.0
_UNKNOWN_RANK = 0


class CloudSegment:
    """Reads the events of one segment in order. Times are on the caller's clock.

    `finish` is set with the last token; `over` when nothing more is wanted of the stream: what was used has been told
    by then, or never will be.
    """

    def __init__(
        self, model: CloudModel, prompt: CloudPrompt, sampling: Sampling, scripted_end: int | None, now_s: float
    ) -> None:
        self._read = ADAPTERS[model.kind].read_event
        self._tells_usage = model.stream_usage != "none"
        self._tells_on = model.stream_usage == "always"
        self._vocab_tokens = model.vocab_tokens
        self._prompt = prompt
        self._alternatives = sampling.top_logprobs
        self._most = min(sampling.max_tokens, scripted_end or sampling.max_tokens)
        self._echo = EchoTrimmer(prompt.kept, model.echo_window_tokens)
        self._steps = StepTracker(prompt.kept)
        self._surface: SurfaceTracker | None = None
        if model.calibration and not model.logprobs:  # then it is judged by its text
            self._surface = SurfaceTracker("\n".join(m.content for m in prompt.messages), prompt.kept)
        # The white space that the kept text ends with is not sent; the model writes it anew.
        self._skips_space = prompt.continuation == "prefix" and prompt.kept.rstrip() not in ("", prompt.kept)
        self._calls: list[int] = []
        self._last_s = now_s
        self._sent = 0
        self._written = 0
        self._usage: Usage | None = None
        self.finish: FinishReason | None = None
        self.over = False

    @property
    def _told(self) -> bool:
        return self._usage is not None and self._usage.completion_tokens > 0

    @property
    def usage(self) -> Usage:
        """What it used: as the provider says, or else as counted here."""
        if self._usage and self._usage.completion_tokens >= (self.finish is not None and self._sent > 0):
            return self._usage
        asked = estimate_tokens(self._prompt.messages)
        known = self._usage.prompt_tokens if self._usage else 0
        return Usage(known or asked, self._written, estimated=True)

    def push(self, event: str, now_s: float) -> list[Token]:
        """The tokens that an event makes certain.

        Raises:
            SegmentFailed: the event is malformed or an error, or the stream is over before the answer is.
        """
        chunk = self._read(event)
        self._usage = merged(self._usage, chunk.usage)
        if self.finish is None:
            tokens = self._tokens(chunk.asides, chunk.tokens, now_s)
            if chunk.finish:
                self.finish = "tool_calls" if self._calls and chunk.finish == "stop" else chunk.finish
                tokens += self._echo.flush()
            tokens = self._within_limit(tokens)
        else:
            tokens = []
        if self.finish and (chunk.done or not self._tells_usage or (self._told and not self._tells_on)):
            self.over = True
        if chunk.done and not self.finish:
            raise SegmentFailed("the provider ended the stream without a finish reason")
        return tokens

    def _tokens(self, asides: Iterable[Aside], written: Iterable[Written], now_s: float) -> list[Token]:
        told = [self._aside(a, now_s) for a in asides]
        fresh = self._unspaced(written) if self._skips_space else written
        return told + self._echo.push([self._token(w, t) for w, t in self._timed(fresh, now_s)])

    def _unspaced(self, written: Iterable[Written]) -> Iterator[Written]:
        """Without the white space that the kept text ends with already."""
        for token in written:
            text = token.text.lstrip() if self._skips_space else token.text
            self._skips_space = self._skips_space and not text
            if text:
                yield replace(token, text=text)

    def _timed(self, written: Iterable[Written], now_s: float) -> Iterator[tuple[Written, float]]:
        """Tokens with the time since the one before; those of one event come together."""
        for token in written:
            yield token, now_s - self._last_s
            self._last_s = now_s

    def _aside(self, aside: Aside, now_s: float) -> Token:
        """What is no text: reasoning, or a piece of a tool call; these are counted in the order in which they begin."""
        if isinstance(aside, ToolCallPart):
            if aside.number < 0 or aside.number not in self._calls:
                self._calls.append(aside.number)
            at = len(self._calls) - 1 if aside.number < 0 else self._calls.index(aside.number)
            aside = aside._replace(number=at, id=aside.id or (f"call_{at}" if aside.name else ""))
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        text = aside.text if isinstance(aside, ReasoningPart) else aside.name + aside.arguments
        self._written += estimate_text_tokens(text)
        return _plain("", elapsed_s)._replace(aside=aside)

    def _token(self, written: Written, elapsed_s: float) -> Token:
        self._written += 1 if written.logprob is not None else estimate_text_tokens(written.text)
        token = _plain(written.text, elapsed_s)._replace(step_start=self._steps.push(written.text))
        if written.logprob is None:
            return token._replace(**self._surface.push(written.text)._asdict()) if self._surface else token
        logprobs = [x for _, x in written.top]
        rank = 1 + sum(x > written.logprob for x in logprobs)
        outsider = written.logprob if rank > len(logprobs) else None
        entropy = bounds(logprobs, self._vocab_tokens, outsider) if logprobs else None
        if written.entropy_nats is not None:
            entropy = EntropyBounds(written.entropy_nats, written.entropy_nats)
        return token._replace(
            logprob=written.logprob,
            rank=rank,
            margin=logprobs[0] - logprobs[1] if len(logprobs) > 1 else 0.0,
            entropy_nats=entropy.estimate_nats if entropy else 0.0,
            entropy_lower_nats=entropy.lower_nats if entropy else 0.0,
            entropy_upper_nats=entropy.upper_nats if entropy else 0.0,
            top_logprob=logprobs[0] if logprobs else written.logprob,
            second_gap=logprobs[1] - logprobs[2] if len(logprobs) > 2 else 0.0,
            alternatives=written.top[: self._alternatives],
        )

    def _within_limit(self, tokens: list[Token]) -> list[Token]:
        """No more tokens than the answer, or the script, has room for."""
        room = self._most - self._sent
        if len(tokens) > room or (len(tokens) == room and self.finish is None):
            tokens, self.finish, self.over = tokens[:room], "length", True
        self._sent += len(tokens)
        return tokens


def _plain(text: str, elapsed_s: float) -> Token:
    """A token of which only the text is known."""
    return Token(NO_ID, text, _UNKNOWN_LOGPROB, _UNKNOWN_RANK, 0.0, 0.0, 0.0, 0.0, elapsed_s, 0, False)
