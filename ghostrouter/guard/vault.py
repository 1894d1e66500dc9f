"""What was taken out of a session, and the placeholders that stand for it."""

import re
from collections import Counter

_KEY_BYTES = 512
_PLACEHOLDER = re.compile(r"\[[A-Z_]{2,16}_[0-9]{1,6}\]")
_BEGUN = re.compile(r"\[(?:[A-Z_]{0,16}|[A-Z_]{2,16}_[0-9]{1,6})\Z")


class Vault:
    """Lives as long as its session, in memory only. The same text has the same placeholder: `[EMAIL_1]`."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, bytes], bytes] = {}
        self._texts: dict[str, bytes] = {}  # made when needed
        self._numbers: Counter[str] = Counter()

    def placeholder(self, kind: str, text: bytes) -> bytes:
        """What stands for a text. A very long one is known by its beginning, and never comes back."""
        key = kind, text[:_KEY_BYTES]
        made = self._placeholders.get(key)
        if made is None:
            self._numbers[kind] += 1
            made = self._placeholders[key] = b"[%b_%d]" % (kind.encode(), self._numbers[kind])
        return made

    def __len__(self) -> int:
        return len(self._placeholders)

    def counts(self) -> dict[str, int]:
        """How many texts of each kind it holds."""
        return dict(self._numbers)

    def restore(self, text: str) -> str:
        """With the texts where their placeholders are; unknown ones stay."""
        if len(self._texts) < len(self._placeholders):
            self._texts = {made.decode(): key[1] for key, made in self._placeholders.items()}
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
