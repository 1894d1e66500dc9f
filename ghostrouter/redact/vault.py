"""What was taken out of a session, and the placeholders that stand for it."""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import count

from ghostrouter.redact.shape import Found

_KEY_BYTES = 512
_PLACEHOLDER = re.compile(r"\[[A-Z_]{2,16}_[0-9]{1,6}\]")
_BEGUN = re.compile(r"\[(?:[A-Z_]{0,16}|[A-Z_]{2,16}_[0-9]{1,6})\Z")


class _Kinds(dict[str, defaultdict[bytes, bytes]]):
    """The placeholders of the texts of each kind, made when they are first asked for: `[EMAIL_1]`, `[EMAIL_2]`, ..."""

    def __missing__(self, kind: str) -> defaultdict[bytes, bytes]:
        placeholder = b"[%b_%%d]" % kind.encode()
        made = self[kind] = defaultdict(map(placeholder.__mod__, count(1)).__next__)
        return made


class Vault:
    """Lives as long as its session, in memory only. The same text has the same placeholder: `[EMAIL_1]`."""

    def __init__(self) -> None:
        self._kinds = _Kinds()
        self._texts: dict[str, bytes] = {}  # made when needed

    def cover(self, text: bytes, at: int, found: Iterable[Found], out: list[bytes]) -> None:
        """Adds the text from `at` on to `out`, up to the end of the last private one, with what stands for those.

        A very long one is known by its beginning, and never comes back.
        """
        kinds = self._kinds
        for begin, end, shape in found:
            out += text[at:begin], kinds[shape.kind][text[begin:end][:_KEY_BYTES]]
            at = end

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def counts(self) -> dict[str, int]:
        """How many texts of each kind it holds."""
        return {kind: len(texts) for kind, texts in self._kinds.items()}

    def restore(self, text: str) -> str:
        """With the texts where their placeholders are; unknown ones stay."""
        if len(self._texts) < len(self):
            self._texts = {made.decode(): of for texts in self._kinds.values() for of, made in texts.items()}
        return _PLACEHOLDER.sub(self._text_of, text) if self._texts else text

    def _text_of(self, placeholder: "re.Match[str]") -> str:
        text = self._texts.get(placeholder[0], b"")
        return text.decode("utf-8", "replace") if 0 < len(text) < _KEY_BYTES else placeholder[0]


class Restorer:
    """Puts a vault's texts back into a stream: `feed` parts, `close` at the end."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._held = ""

    def feed(self, text: str) -> str:
        """What is certain now; a placeholder that has begun is held."""
        text = self._held + text
        begun = _BEGUN.search(text, max(0, len(text) - 32))
        cut = begun.start() if begun and len(self._vault) else len(text)
        self._held = text[cut:]
        return self._vault.restore(text[:cut])

    def close(self) -> str:
        """The rest."""
        held, self._held = self._held, ""
        return held
