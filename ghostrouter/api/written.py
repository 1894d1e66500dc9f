"""A part of an answer, or all of it, as the wire formats see it."""

from typing import NamedTuple, Protocol

from ghostrouter.types import Token


class Written(Protocol):
    """Text for the client and the tokens it was read from: a growth, or a whole answer."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> tuple[Token, ...]: ...


class Passage(NamedTuple):
    """Text and the tokens it was read from, wherever they are from."""

    text: str
    tokens: tuple[Token, ...] = ()


def is_told(written: Written, logprobs: bool) -> bool:
    """Whether a growth becomes an event, and so takes a number: it has text, or log-probabilities that were asked for.

    Tokens without text (half a character, what may be a stop string) are told only for their log-probabilities.
    """
    return bool(written.text) or (logprobs and bool(written.tokens))
