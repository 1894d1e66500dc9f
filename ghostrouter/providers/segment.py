"""One segment that a cloud model writes: events in, tokens out, and how it ended."""

from collections.abc import Iterable, Iterator

from ghostrouter.config import CloudModel
from ghostrouter.errors import SegmentFailed
from ghostrouter.providers import openai
from ghostrouter.replay.echo import EchoTrimmer
from ghostrouter.signals.entropy import bounds
from ghostrouter.signals.steps import StepTracker
from ghostrouter.types import CloudPrompt, Sampling, SegmentEnd, Token

NO_ID = -1
_UNKNOWN_LOGPROB = -9999.0
_UNKNOWN_RANK = 0
# How many tokens a provider's model knows is not told; of today's the largest vocabularies have about as many.
_VOCAB_SIZE = 200_000


class CloudSegment:
    """Reads the events of one segment in order. Times are on the caller's clock."""

    def __init__(
        self, model: CloudModel, prompt: CloudPrompt, sampling: Sampling, scripted_end: int | None, now_s: float
    ) -> None:
        self._alternatives = sampling.top_logprobs
        self._most = min(sampling.max_tokens, scripted_end or sampling.max_tokens)
        self._is_scripted = self._most < sampling.max_tokens
        self._echo = EchoTrimmer(prompt.kept, model.echo_window_tokens)
        self._steps = StepTracker(prompt.kept)
        self._last_s = now_s
        self._sent = 0
        self.end: SegmentEnd | None = None

    def push(self, event: str, now_s: float) -> list[Token]:
        """The tokens that an event makes certain.

        Raises:
            SegmentFailed: the event is malformed or an error, or the stream is over before the answer is.
        """
        if event == openai.DONE:
            raise SegmentFailed("the provider ended the stream without a finish reason")
        chunk = openai.read_event(event)
        tokens = self._echo.push([self._token(w, t) for w, t in self._timed(chunk.tokens, now_s)])
        if chunk.finish:
            self.end = SegmentEnd(chunk.finish)
            tokens += self._echo.flush()
        return self._within_limit(tokens)

    def _timed(self, written: Iterable[openai.Written], now_s: float) -> Iterator[tuple[openai.Written, float]]:
        """Tokens with the time since the one before; those of one event come together."""
        for token in written:
            yield token, now_s - self._last_s
            self._last_s = now_s

    def _token(self, written: openai.Written, elapsed_s: float) -> Token:
        logprobs = [x for _, x in written.top]
        known = written.logprob is not None
        logprob = _UNKNOWN_LOGPROB if written.logprob is None else written.logprob
        rank = 1 + sum(x > logprob for x in logprobs) if known else _UNKNOWN_RANK
        outsider = logprob if known and rank > len(logprobs) else None
        entropy = bounds(logprobs, _VOCAB_SIZE, outsider) if logprobs else None
        return Token(
            id=NO_ID,
            text=written.text,
            logprob=logprob,
            rank=rank,
            margin=logprobs[0] - logprobs[1] if len(logprobs) > 1 else 0.0,
            entropy_nats=entropy.estimate_nats if entropy else 0.0,
            entropy_lower_nats=entropy.lower_nats if entropy else 0.0,
            entropy_upper_nats=entropy.upper_nats if entropy else 0.0,
            inter_token_s=elapsed_s,
            accepted_drafts=0,
            step_start=self._steps.push(written.text),
            alternatives=written.top[: self._alternatives],
        )

    def _within_limit(self, tokens: list[Token]) -> list[Token]:
        """No more tokens than the answer, or the script, has room for."""
        room = self._most - self._sent
        if len(tokens) > room or (len(tokens) == room and self.end is None):
            tokens = tokens[:room]
            self.end = SegmentEnd("handoff" if self._is_scripted else "length")
        self._sent += len(tokens)
        return tokens
