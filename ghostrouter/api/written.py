"""A part of an answer, or the whole, as the wire formats see it."""

from typing import NamedTuple, Protocol

from ghostrouter.types import Token


class Written(Protocol):
    """Text for the client, and the tokens it was read from: a growth, or a whole answer."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> tuple[Token, ...]: ...


class Passage(NamedTuple):
    """Text, and the tokens it was read from, from any source."""

    text: str
    tokens: tuple[Token, ...] = ()


def is_told(written: Written, numbers: bool) -> bool:
    """Whether a growth is sent as an event with an id: it has text, or tokens whose `numbers` were asked for.

    The numbers are log-probabilities or signals. Tokens without text (half a character, or the possible start of a stop
    string) are sent only for them.
    """
    return bool(written.text) or (numbers and bool(written.tokens))
