"""A part of an answer, or the whole, as the wire formats see it."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from ghostrouter.types import Aside, Token


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


def pieces(written: Written) -> Iterator[Passage | Aside]:
    """The parts of an answer in order: text with its tokens, and what is beside it.

    A text may come later than its token, if it was held or cut at a stop string.
    """
    rest, said, tokens = written.text, "", list[Token]()
    for token in written.tokens:
        if token.aside is None:
            said, rest = said + rest[: len(token.text)], rest[len(token.text) :]
            tokens.append(token)
            continue
        if tokens:
            yield Passage(said, tuple(tokens))
            said, tokens = "", []
        yield token.aside
    if tokens or rest:
        yield Passage(said + rest, tuple(tokens))
