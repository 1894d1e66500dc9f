"""The growths of an answer as its client gets them: redacted, and divided where the client comes back."""

from collections.abc import Iterator

from ghostrouter.sessions.answer_redactor import AnswerRedactor
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Growth
from ghostrouter.sessions.single_tokens import SingleTokens


class ClientGrowths:
    """Push the growths of one answer, from the first one on. Making it may take a while: use a thread.

    `has_tokens` is how many tokens the client has, if it comes back. One growth ends there.
    """

    def __init__(self, ask: Ask, has_tokens: int = 0) -> None:
        self._redactor = AnswerRedactor.of(ask)
        self._single = SingleTokens(ask.sampling.stop)
        self._has_tokens = has_tokens

    def push(self, growth: Growth) -> Iterator[Growth]:
        """What the client gets of a growth."""
        for part in self._single.divide(growth) if self._has_tokens > 0 else (growth,):
            told = self._redactor.push(part) if self._redactor else part
            self._has_tokens -= len(told.tokens)
            yield told

    def flush(self) -> Iterator[Growth]:
        """What was held of an answer that ended without a finish."""
        if self._redactor and (rest := self._redactor.flush()):
            yield rest
