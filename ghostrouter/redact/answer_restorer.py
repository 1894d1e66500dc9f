"""Restores private text in the answer of one segment: in text, reasoning and tool calls."""

from dataclasses import replace

from ghostrouter.redact.json_text import escaped
from ghostrouter.redact.vault import Restorer, Vault
from ghostrouter.types import Frame, ReasoningPart, Token, ToolCallPart

_TEXT, _REASONING = "text", "reasoning"


class AnswerRestorer:
    """Replaces the placeholders in the frames of one segment.

    A token waits while its end may be the start of a placeholder. Then the next frame starts earlier than it did; no
    token is added or lost. With `json_text` the text of the answer is JSON.
    """

    def __init__(self, vault: Vault, json_text: bool = False) -> None:
        self._vault = vault
        self._streams: dict[str | int, Restorer] = {_TEXT: Restorer(vault, escaped if json_text else str)}
        self._waiting: list[Token] = []
        self._first: Frame | None = None
        self._next = 0

    def push(self, frame: Frame) -> Frame:
        """Add a frame. Return it with the tokens that are certain; the last frame of a segment has all the rest."""
        self._first = self._first or frame
        tokens, waiting = self._waiting, len(self._waiting)
        certain = 0
        for token in frame.tokens:
            self._add(tokens, token)
            if not any(stream.holds for stream in self._streams.values()):
                certain = len(tokens)
        if frame.end is None:
            released, self._waiting = tuple(tokens[:certain]), tokens[certain:]
            return self._frame(frame, frame.start - waiting, released)
        last = len(tokens)
        for token in frame.end.held:
            self._add(tokens, token)
        self._close_streams(tokens)
        self._waiting = []
        end = replace(frame.end, held=tuple(tokens[last:]))
        return self._frame(replace(frame, end=end), frame.start - waiting, tuple(tokens[:last]))

    def flush(self) -> Frame | None:
        """The tokens that still wait when the engine has failed."""
        tokens, self._waiting = self._waiting, []
        if not tokens or self._first is None:
            return None
        self._close_streams(tokens)
        return self._frame(Frame(self._first.key, self._next, ()), self._next, tuple(tokens))

    def _frame(self, frame: Frame, start: int, tokens: tuple[Token, ...]) -> Frame:
        self._next = start + len(tokens)
        first = self._first
        if start == 0 and first is not None:  # it names the replica, and may have no tokens
            frame = replace(frame, replica=first.replica, cached_tokens=first.cached_tokens)
        return replace(frame, start=start, tokens=tokens)

    def _add(self, tokens: list[Token], token: Token) -> None:
        """Add a token with its certain text. Text ends the reasoning before it; a tool call ends the text."""
        which = _stream(token)
        for other in (_TEXT, _REASONING):
            if other != which and other in self._streams:
                self._close(tokens, other)
        tokens.append(_with(token, self._restorer(which).feed(_written(token))))

    def _restorer(self, which: str | int) -> Restorer:
        json = isinstance(which, int)
        return self._streams.setdefault(which, Restorer(self._vault, escaped if json else str))

    def _close_streams(self, tokens: list[Token]) -> None:
        for which in self._streams:
            self._close(tokens, which)

    def _close(self, tokens: list[Token], which: str | int) -> None:
        """Give the held text to the last token of a stream, which waits for it."""
        rest = self._streams[which].close()
        if rest:
            at = max(i for i, token in enumerate(tokens) if _stream(token) == which)
            tokens[at] = _with(tokens[at], _written(tokens[at]) + rest)


def _stream(token: Token) -> str | int:
    if isinstance(token.aside, ToolCallPart):
        return token.aside.number
    return _REASONING if isinstance(token.aside, ReasoningPart) else _TEXT


def _written(token: Token) -> str:
    if isinstance(token.aside, ToolCallPart):
        return token.aside.arguments
    return token.aside.text if isinstance(token.aside, ReasoningPart) else token.text


def _with(token: Token, text: str) -> Token:
    if isinstance(token.aside, ToolCallPart):
        return token._replace(aside=token.aside._replace(arguments=text))
    return token._replace(aside=ReasoningPart(text)) if token.aside else token._replace(text=text)
