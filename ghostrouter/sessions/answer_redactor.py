"""Redacts an answer on its way to the client: text, reasoning and the arguments of tool calls."""

from dataclasses import replace

from ghostrouter.redact.json_text import JsonRedactor
from ghostrouter.redact.scan import scanner
from ghostrouter.redact.stream import Redactor
from ghostrouter.redact.vault import Vault
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Growth
from ghostrouter.types import Aside, ReasoningPart, Token, ToolCallPart

_TEXT, _REASONING = "text", "reasoning"


class AnswerRedactor:
    """Redacts one answer, growth by growth, across all its segments.

    Tokens lose their text and their alternatives, because log-probabilities would reveal what was redacted.
    """

    def __init__(self, addresses: bool = False, json_text: bool = False) -> None:
        self._scan = scanner(addresses)
        self._vault = Vault()
        text = JsonRedactor if json_text else Redactor
        self._streams: dict[str | int, Redactor] = {_TEXT: text(self._vault, self._scan)}
        self._last: Growth | None = None
        self._carrier: Token | None = None  # the last token with reasoning or part of a tool call

    @classmethod
    def of(cls, ask: Ask) -> "AnswerRedactor | None":
        """The redactor of the answer to `ask`; None if the answer is not redacted."""
        discretion, features = ask.behalf.discretion, ask.features
        json_text = features.schema is not None or features.json_object
        return cls(discretion.addresses, json_text) if discretion.covers_answers else None

    def push(self, growth: Growth) -> Growth:
        """Redact a growth. The growth that finishes the answer also has all text that was held."""
        self._last = growth
        text, tokens = "", list[Token]()
        if growth.text:
            tokens += self._closed(_REASONING)
            text = self._streams[_TEXT].feed(growth.text)
        for token in growth.tokens:
            if isinstance(token.aside, ToolCallPart):
                text += self._streams[_TEXT].close()
                tokens += self._closed(_REASONING)
            tokens.append(self._token(token))
        if growth.finish:
            text += self._streams[_TEXT].close()
            tokens += self._rest()
        return replace(growth, text=text, tokens=tuple(tokens))

    def flush(self) -> Growth | None:
        """The held text of an answer that ended without a finish."""
        text, tokens = self._streams[_TEXT].close(), tuple(self._rest())
        last = self._last
        if last is None or not (text or tokens):
            return None
        return replace(last, start=last.start + len(last.tokens), tokens=tokens, text=text, finish=None)

    def _token(self, token: Token) -> Token:
        aside: Aside | None = None
        if isinstance(token.aside, ReasoningPart):
            aside = ReasoningPart(self._stream(_REASONING).feed(token.aside.text))
        elif isinstance(token.aside, ToolCallPart):
            arguments = self._stream(token.aside.number).feed(token.aside.arguments)
            aside = token.aside._replace(arguments=arguments)
        if aside is not None:
            self._carrier = token
        return token._replace(text="", alternatives=(), aside=aside)

    def _stream(self, which: str | int) -> Redactor:
        if which not in self._streams:
            self._streams[which] = (JsonRedactor if isinstance(which, int) else Redactor)(self._vault, self._scan)
        return self._streams[which]

    def _rest(self) -> list[Token]:
        """Tokens with the held text of reasoning and tool calls."""
        return [token for which in self._streams if which != _TEXT for token in self._closed(which)]

    def _closed(self, which: str | int) -> list[Token]:
        """End the current reasoning or tool call. Return a token with its held text, or none if nothing was held."""
        held = self._streams[which].close() if which in self._streams else ""
        if not held or self._carrier is None:
            return []
        aside = ReasoningPart(held) if isinstance(which, str) else ToolCallPart(which, arguments=held)
        return [self._carrier._replace(text="", alternatives=(), aside=aside)]
