"""Private text out of JSON as it is written, such as the arguments of a tool call."""

import json
import re

from ghostrouter.redact.scan import Checks, Scanner
from ghostrouter.redact.shape import Shape
from ghostrouter.redact.stream import Redactor
from ghostrouter.redact.vault import Vault

# An escape, two for a character beyond 16 bits, a quote, a control character.
_TOKEN = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\"\x00-\x1f]", re.DOTALL
)
_TOKEN_BEGUN = re.compile(r"\\(?:u[0-9a-fA-F]{0,3}|u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?)?\Z")
_TOKEN_CHARACTERS = 12
_QUOTE = '"'
_OUTPUT = re.compile(r"\\.|\[[A-Z_]{2,16}_[0-9]{1,6}\]|[\"\x00-\x1f]", re.DOTALL)
_KEPT_ESCAPES = ('\\"', "\\\\")
_KEY_REST = re.compile(rb"(?:[A-Za-z0-9+/=\s'>|,-]|\\.?)*+", re.DOTALL)


def escaped(text: str) -> str:
    """A text as it stands within a string of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


class JsonRedactor(Redactor):
    """A `Redactor` that reads escapes and writes them: what comes out is JSON if what came in was.

    Between the two the text has the characters that the escapes stand for, but for quotes and backslashes. A
    placeholder that stands for a number is put in quotes.
    """

    def __init__(self, vault: Vault | None = None, scan: Scanner | None = None, checks: Checks | None = None) -> None:
        super().__init__(vault, scan, checks)
        self._placeholder = self._placeholder_of_escaped
        self._unread = ""  # an escape that has begun
        self._unwritten = ""
        self._reads_string = self._writes_string = False

    def feed(self, text: str) -> str:
        """What may leave now."""
        return self._write(super().feed(self._read(text)))

    def close(self, text: str = "") -> str:
        """The rest, with the last part of the text."""
        text = self._read(text) + self._unread
        self._unread = ""
        rest = self._write(super().close(text)) + self._unwritten
        self._unwritten = ""
        return rest

    def _placeholder_of_escaped(self, kind: str, found: bytes) -> bytes:
        """The vault keeps a private text without the escapes of JSON."""
        return self.vault.placeholder(kind, found.replace(b'\\"', b'"').replace(b"\\\\", b"\\"))

    def rest(self, shape: Shape) -> "re.Pattern[bytes]":
        """What belongs to a match and follows it: a private key ends where its string ends."""
        return _KEY_REST if shape.kind == "PRIVATE_KEY" else super().rest(shape)

    def _read(self, text: str) -> str:
        text = self._unread + text
        begun = _TOKEN_BEGUN.search(text, max(0, len(text) - _TOKEN_CHARACTERS))
        cut = begun.start() if begun and not _odd_backslashes_before(text, begun.start()) else len(text)
        self._unread = text[cut:]
        return _TOKEN.sub(self._character, text[:cut])

    def _character(self, match: "re.Match[str]") -> str:
        found = match[0]
        if found == _QUOTE:
            self._reads_string = not self._reads_string
            return found
        if found[0] != "\\":  # a control character: outside of strings it is white space
            return found if self._reads_string else " "
        if found in _KEPT_ESCAPES:
            return found
        try:
            character: str = json.loads(f'"{found}"')
        except ValueError:  # no escape of JSON
            return found
        if character in '"\\':
            return f"\\{character}"
        return found if "\ud800" <= character <= "\udfff" else character

    def _write(self, text: str) -> str:
        text = self._unwritten + text
        dangling = len(text) - len(text.rstrip("\\"))
        cut = len(text) - dangling % 2
        self._unwritten = text[cut:]
        return _OUTPUT.sub(self._escape, text[:cut])

    def _escape(self, match: "re.Match[str]") -> str:
        found = match[0]
        if found == _QUOTE:
            self._writes_string = not self._writes_string
        elif found[0] == "[" and not self._writes_string:
            return f'"{found}"'
        elif found < " ":
            return escaped(found)
        return found


def _odd_backslashes_before(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
