"""Reads one segment of a cloud model: events in, tokens out, then finish reason and usage."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

from ghostrouter.config import CloudModel
from ghostrouter.errors import SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.providers.adapters import ADAPTERS
from ghostrouter.providers.chunk import Chunk, Written, merged
from ghostrouter.providers.pauses import pause_fields
from ghostrouter.providers.sse import Event
from ghostrouter.providers.surrogates import SurrogateJoiner
from ghostrouter.providers.tool_calls import CallAssembler
from ghostrouter.replay.continuation import estimate_prompt_tokens, estimate_text_tokens
from ghostrouter.replay.echo import EchoTrimmer
from ghostrouter.signals.entropy import EntropyBounds, bounds
from ghostrouter.signals.form import AnswerForm
from ghostrouter.signals.steps import StepTracker
from ghostrouter.signals.surface import SurfaceTracker
from ghostrouter.types import (
    Aside,
    CloudPrompt,
    FinishReason,
    ReasoningPart,
    Sampling,
    SegmentKey,
    Token,
)

NO_ID = -1
_NO_KEY = SegmentKey("", 0)
# How a stream says that it is over: usually [DONE].
_DONE = re.compile(r'"?[\[<]?done[\]>]?"?', re.IGNORECASE)
# Events of these names keep the connection alive. Their data may be anything.
_KEEP_ALIVES = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "keep_alive"})
_UNKNOWN_LOGPROB = -9999.0
_UNKNOWN_RANK = 0


class CloudSegment:
    """Reads the events of one segment in order, until it is closed. Times are on the caller's clock.

    `finish` is set once the provider has said why the answer ends. More may follow: the usage, and from some providers
    text. `over`: nothing more will come.
    """

    def __init__(
        self,
        model: CloudModel,
        prompt: CloudPrompt,
        sampling: Sampling,
        scripted_end: int | None,
        now_s: float,
        key: SegmentKey = _NO_KEY,
    ) -> None:
        self._model = model
        self._read = ADAPTERS[model.kind].read_event
        self._prompt = prompt
        self._alternatives = sampling.top_logprobs
        self._most = _most(model, prompt, sampling, scripted_end)
        self._echo = EchoTrimmer(prompt.kept, model.echo_window_tokens)
        self._steps = StepTracker(prompt.kept)
        self._surface: SurfaceTracker | None = None
        if model.calibration and not model.logprobs:  # without log-probabilities the token is judged by its text
            self._surface = SurfaceTracker("\n".join(m.content for m in prompt.messages), prompt.kept)
        # White space at the end of the kept text is not sent, so the model writes it again.
        self._skips_space = prompt.continuation == "prefix" and prompt.kept.rstrip() not in ("", prompt.kept)
        self._form = AnswerForm(prompt.features)
        self._pauses_after = pause_fields(model, prompt).get("stop", ())
        self._text, self._thought = SurrogateJoiner(), SurrogateJoiner()
        names = frozenset(t.name for t in prompt.features.tools)
        self._calls = CallAssembler(lambda number: _call_id(key, number), names)
        self._last_s = now_s
        self._sent = 0
        self._written = 0
        self._usage: Usage | None = None
        self._leaves_open = False
        self._heard = False  # a part of the answer has come
        self._choice: int | None = None  # the index of the provider's choice that is read
        self.finish: FinishReason | None = None
        self.over = False
        self._pause_met = False

    @property
    def paused(self) -> bool:
        """Whether the provider has stopped where it was asked to, and the answer goes on."""
        return self._pause_met and self.finish == "stop"

    @property
    def awaits_usage(self) -> bool:
        """Whether the usage is still to come."""
        return self._model.stream_usage != "none" and not (self._usage and self._usage.completion_tokens)

    @property
    def usage(self) -> Usage:
        """The usage: from the provider, or else counted here."""
        if self._usage and self._usage.completion_tokens >= (self.finish is not None and self._sent > 0):
            if self._usage.prompt_tokens:
                return self._usage
            return replace(self._usage, prompt_tokens=self._estimated_prompt_tokens, estimated=True)
        known = self._usage.prompt_tokens if self._usage else 0
        return Usage(known or self._estimated_prompt_tokens, self._written, estimated=True)

    @cached_property
    def _estimated_prompt_tokens(self) -> int:
        return estimate_prompt_tokens(self._prompt.messages)

    def push(self, event: Event, now_s: float) -> list[Token]:
        """Add an event. Return the tokens that are certain now.

        Raises:
            SegmentFailed: the event is malformed or an error, or the stream ended before the answer.
        """
        if self.over or event.name.lower() in _KEEP_ALIVES:
            return []
        done = _DONE.fullmatch(event.data.strip())
        if not done and not _may_be_told(event):
            return []
        chunk = Chunk(done=True) if done else self._read(event, self._model)
        chunk = self._unrepeated(chunk)
        self._usage = merged(self._usage, chunk.usage)
        chunk = self._to_pause(self._of_one_choice(chunk))
        self._leaves_open = self._leaves_open or chunk.leaves_open
        self.finish = self.finish or chunk.finish
        tokens = self._within_limit(self._tokens(chunk, now_s))
        if chunk.done and not self.finish:
            if self._leaves_open or not self._sent:
                raise SegmentFailed("the provider ended the stream without a finish reason")
            self.finish = "stop"  # this provider never says why an answer ends
        self.over = self.over or chunk.done
        return tokens

    def _unrepeated(self, chunk: Chunk) -> Chunk:
        """The chunk without the whole answer, if it has been told already."""
        if chunk.whole and self._heard:
            chunk = replace(chunk, tokens=(), thought="", calls=())
        self._heard = self._heard or bool(chunk.tokens or chunk.thought or chunk.calls)
        return chunk

    def _of_one_choice(self, chunk: Chunk) -> Chunk:
        """The chunk, if it is of the choice that the answer began with. Others must not be mixed into its text."""
        says = chunk.tokens or chunk.thought or chunk.calls or chunk.finish
        if self._choice is None and says:
            self._choice = chunk.choice
        return chunk if not says or chunk.choice == self._choice else Chunk(done=chunk.done)

    def _to_pause(self, chunk: Chunk) -> Chunk:
        """The chunk with all of its last token, of which a stop string has cut a part.

        That token shows that the answer goes on. Without it, the next model might take the sentence for the last one.
        """
        stopped = chunk.stopped
        if stopped is None or stopped.by not in self._pauses_after or not chunk.tokens:
            return chunk
        self._pause_met = True
        return replace(chunk, tokens=(*chunk.tokens[:-1], replace(chunk.tokens[-1], text=stopped.token)))

    def close(self, now_s: float) -> list[Token]:
        """Return the held tokens. The answer has a `finish`, and nothing more comes.

        Raises:
            SegmentFailed: a tool call has no name.
        """
        rest = [Written(text)] if (text := self._text.flush()) else []
        told: list[Aside] = [ReasoningPart(text)] if (text := self._thought.flush()) else []
        told += self._calls.close(cut=self.finish == "length")
        if self._calls.lacks_name and self.finish != "length":
            raise SegmentFailed("the provider called a tool without its name")
        tokens = [self._aside(a, now_s) for a in told] + self._pushed(rest, now_s) + self._echo.flush()
        if self._calls.has_calls and self.finish == "stop":
            self.finish = "tool_calls"
        elif self.finish == "tool_calls" and not self._calls.has_calls:
            self.finish = "stop"
        return self._within_limit(tokens)

    def _tokens(self, chunk: Chunk, now_s: float) -> list[Token]:
        told: list[Aside] = []
        if chunk.thought and (thought := self._thought.push(chunk.thought)):
            told.append(ReasoningPart(thought))
        told += [part for piece in chunk.calls for part in self._calls.push(piece)]
        joined = [w.with_text(self._text.push(w.text)) for w in chunk.tokens]
        fresh = [w for w in joined if w.text or w.logprob is not None]
        return [self._aside(a, now_s) for a in told] + self._pushed(fresh, now_s)

    def _pushed(self, written: Iterable[Written], now_s: float) -> list[Token]:
        """The tokens without an echo of the kept text."""
        fresh = self._unspaced(written) if self._skips_space else written
        return self._echo.push([self._token(w, t) for w, t in self._timed(fresh, now_s)])

    def _unspaced(self, written: Iterable[Written]) -> Iterator[Written]:
        """The tokens without the white space that the kept text already ends with."""
        for token in written:
            text = token.text.lstrip() if self._skips_space else token.text
            self._skips_space = self._skips_space and not text
            if text:
                yield replace(token, text=text)

    def _timed(self, written: Iterable[Written], now_s: float) -> Iterator[tuple[Written, float]]:
        """The tokens with the time since the one before. Tokens of one event arrive together."""
        for token in written:
            yield token, now_s - self._last_s
            self._last_s = now_s

    def _aside(self, aside: Aside, now_s: float) -> Token:
        """What is not text: reasoning, or a piece of a tool call."""
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        text = aside.text if isinstance(aside, ReasoningPart) else aside.name + aside.arguments
        self._written += estimate_text_tokens(text)
        return _plain("", elapsed_s, is_form=True)._replace(aside=aside)

    def _token(self, written: Written, elapsed_s: float) -> Token:
        self._written += 1 if written.logprob is not None else estimate_text_tokens(written.text)
        step_start, is_form = self._steps.push(written.text), not self._form.text(written.text)
        token = _plain(written.text, elapsed_s, step_start, is_form)
        if written.logprob is None:
            return token._replace(**self._surface.push(written.text)._asdict()) if self._surface else token
        logprobs = [x for _, x in written.top]
        rank = 1 + sum(x > written.logprob for x in logprobs)
        outsider = written.logprob if rank > len(logprobs) else None
        entropy = bounds(logprobs, self._model.vocab_tokens, outsider) if logprobs else None
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
        """The tokens up to the limit, if they are counted here."""
        if self._most is not None:
            room = self._most - self._sent
            if len(tokens) > room or (len(tokens) == room and self.finish is None):
                tokens, self.finish, self.over = tokens[:room], "length", True
        self._sent += len(tokens)
        return tokens


def _may_be_told(event: Event) -> bool:
    """Whether an event may have a part of the answer: JSON objects do. Anything else keeps the connection alive."""
    return event.name.lower() == "error" or event.data.lstrip("\ufeff \t\r\n").startswith(("{", "[{"))


def _most(model: CloudModel, prompt: CloudPrompt, sampling: Sampling, scripted_end: int | None) -> int | None:
    """After how many tokens to stop; None if the provider enforces the limit itself.

    The provider's count includes an echo of the kept text.
    """
    echoes = prompt.kept and model.echo_window_tokens and sampling.wants("max_tokens")
    return scripted_end or (sampling.max_tokens if echoes else None)


def _call_id(key: SegmentKey, number: int) -> str:
    """An id for a tool call. It is unique among all answers, and depends only on the call's place."""
    named = f"{key.session}/{key.segment}/{number}"
    return f"call_{hashlib.sha256(named.encode()).hexdigest()[:24]}"


def _plain(text: str, elapsed_s: float, step_start: bool = False, is_form: bool = False) -> Token:
    """A token with only its text known."""
    unknown = (_UNKNOWN_LOGPROB, _UNKNOWN_RANK, 0.0, 0.0, 0.0, 0.0)
    return Token(NO_ID, text, *unknown, elapsed_s, 0, step_start, is_form=is_form)
