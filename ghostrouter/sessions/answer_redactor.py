"""What goes to the client, where answers are redacted: text, reasoning and the arguments of tool calls."""

from collections.abc import Iterable
from dataclasses import replace

from ghostrouter.redact.stream import Redactor
from ghostrouter.redact.vault import Vault
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Aside, ReasoningPart, Token, ToolCallPart

_TEXT, _REASONING = "text", "reasoning"


class AnswerRedactor:
    """Goes along with one answer from its first growth on, across all its segments.

    Tokens lose their text and their alternatives: log-probabilities would tell what was taken out.
    """

    def __init__(self) -> None:
        self._vault = Vault()
        self._streams: dict[str | int, Redactor] = {}

    def push(self, growth: Growth) -> Growth:
        """A growth as it may leave; the last one with all that was held."""
        text = self._stream(_TEXT).feed(growth.text)
        tokens = [self._token(t) for t in growth.tokens]
        if growth.finish:
            text += self._stream(_TEXT).close()
            tokens += self._rest(growth.tokens[-1:] or ())
        return replace(growth, text=text, tokens=tuple(tokens))

    def _stream(self, which: str | int) -> Redactor:
        return self._streams.setdefault(which, Redactor(self._vault))

    def _token(self, token: Token) -> Token:
        return token._replace(text="", alternatives=(), aside=self._aside(token.aside))

    def _aside(self, aside: Aside | None) -> Aside | None:
        if isinstance(aside, ReasoningPart):
            return ReasoningPart(self._stream(_REASONING).feed(aside.text))
        if isinstance(aside, ToolCallPart):
            return aside._replace(arguments=self._stream(aside.number).feed(aside.arguments))
        return None

    def _rest(self, last: Iterable[Token]) -> Iterable[Token]:
        """Tokens that carry what the asides still held."""
        for which, stream in self._streams.items():
            held = "" if which == _TEXT else stream.close()
            for token in last if held else ():
                aside = ReasoningPart(held) if isinstance(which, str) else ToolCallPart(which, arguments=held)
                yield token._replace(text="", alternatives=(), aside=aside)
