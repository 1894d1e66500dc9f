"""What was taken out of a session, and the placeholders that stand for it."""

import re
from collections import defaultdict
from collections.abc import Callable
from itertools import count

_KEY_BYTES = 512
_PLACEHOLDER = re.compile(r"\[[A-Z_]{2,16}_[0-9]{1,6}\]")
_BEGUN = re.compile(r"\[(?:[A-Z_]{0,16}|[A-Z_]{2,16}_[0-9]{1,6})\Z")
_BEGUN_CHARACTERS = 32


class _Placeholders(dict[str, defaultdict[bytes, bytes]]):
    """By kind and text, made when they are first asked for: `[EMAIL_1]`, `[EMAIL_2]`, ..."""

    def __missing__(self, kind: str) -> defaultdict[bytes, bytes]:
        placeholder = b"[%b_%%d]" % kind.encode()
        made = self[kind] = defaultdict(map(placeholder.__mod__, count(1)).__next__)
        return made


class Vault:
    """Lives as long as its session, in memory only. The same text has the same placeholder.

    A text of 512 bytes or more is known by its first 512 bytes, and is never put back.
    """

    def __init__(self) -> None:
        self._placeholders = _Placeholders()
        self._texts: dict[str, bytes] = {}  # made when needed

    def placeholder(self, kind: str, text: bytes) -> bytes:
        """What stands for a private text."""
        return self._placeholders[kind][text[:_KEY_BYTES]]

    def __len__(self) -> int:
        return sum(map(len, self._placeholders.values()))

    def counts(self) -> dict[str, int]:
        """How many texts of each kind it holds."""
        return {kind: len(texts) for kind, texts in self._placeholders.items()}

    def restore(self, text: str, encode: Callable[[str], str] = str) -> str:
        """Put the texts, encoded, where their placeholders are. Unknown placeholders stay."""
        if len(self._texts) < len(self):
            self._texts = {made.decode(): of for texts in self._placeholders.values() for of, made in texts.items()}

        def text_of(placeholder: "re.Match[str]") -> str:
            private = self._texts.get(placeholder[0], b"")
            return encode(private.decode("utf-8", "replace")) if 0 < len(private) < _KEY_BYTES else placeholder[0]

        return _PLACEHOLDER.sub(text_of, text) if self._texts else text


class Restorer:
    """Puts a vault's texts back into a stream: `feed` parts, `close` at the end.

    `encode` writes a text as it has to stand in the stream, such as within a string of JSON.
    """

    def __init__(self, vault: Vault, encode: Callable[[str], str] = str) -> None:
        self._vault = vault
        self._encode = encode
        self._held = ""

    @property
    def holds(self) -> bool:
        """Whether a placeholder may have begun."""
        return bool(self._held)

    def feed(self, text: str) -> str:
        """What is certain now."""
        text = self._held + text
        begun = _BEGUN.search(text, max(0, len(text) - _BEGUN_CHARACTERS))
        cut = begun.start() if begun and len(self._vault) else len(text)
        self._held = text[cut:]
        return self._vault.restore(text[:cut], self._encode)

    def close(self) -> str:
        """The rest."""
        held, self._held = self._held, ""
        return held
