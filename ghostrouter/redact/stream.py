"""Takes private text out of a stream. (`Restorer` in `vault.py` puts it back.)"""

import re
from collections import Counter
from collections.abc import Callable

from ghostrouter.redact.scan import Checks, Find, Scanner, scanner
from ghostrouter.redact.shape import LONGEST, Shape
from ghostrouter.redact.vault import Vault

_CONTEXT = 64  # bytes before the held text that a closer look may want to see
_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{1,40}-----")
_PEM_END_BYTES = 64


class Redactor:
    """`feed` text in parts of any size, `close` at the end. What comes out is the same for all ways to cut the text.

    Held back is only what could still become private text: from the first place on where some shape has begun that is
    not yet complete. Placeholders are numbered by `vault`, and `checks` counts the numbers that are validated; several
    streams may share them.
    """

    def __init__(self, vault: Vault | None = None, scan: Scanner | None = None, checks: Checks | None = None) -> None:
        self.vault = Vault() if vault is None else vault
        self._placeholder: Callable[[str, bytes], bytes] = self.vault.placeholder
        self.counts: Counter[str] = Counter()
        self._scan = scan or scanner()
        self._checks = checks or Checks()
        self._text = b""
        self._left = 0  # up to here all has left
        self._seek = 0  # up to here nothing private starts any more
        self._swallowing: Shape | None = None

    @property
    def held(self) -> int:
        """How many bytes wait for what follows them."""
        return len(self._text) - self._left

    def feed(self, text: str) -> str:
        """What may leave now."""
        return self._advance(text, closed=False)

    def close(self, text: str = "") -> str:
        """The rest, with the last part of the text."""
        return self._advance(text, closed=True)

    def rest(self, shape: Shape) -> "re.Pattern[bytes]":
        """What belongs to a match and follows it."""
        return shape.rest

    def _advance(self, added: str, closed: bool) -> str:
        self._text += added.encode("utf-8", "surrogatepass")
        out: list[bytes] = []
        text, end, checks = self._text, len(self._text), self._checks
        begun: int | None = None
        while self._swallowing is None or self._swallow(self._swallowing, closed):
            seek = max(self._seek, self._left)
            if begun is None or begun < seek:
                begun = end if closed else max(self._left, self._scan.begun(text, seek))
            found, self._seek = self._scan.finds(text, seek, begun, self._left, checks)
            if not found and end - begun > LONGEST:  # only what swallows the rest may be so long
                self._seek, _ = self._scan.look(text, begun, self._left, checks, found)
                if not found:
                    continue
            if not found:
                out.append(text[self._left : begun])
                self._left = begun
                break
            self._take_out(found, out)
        keep = end if closed else max(0, self._left - _CONTEXT)
        checks.offset += keep
        self._text, self._left = text[keep:], self._left - keep
        self._seek -= keep
        return b"".join(out).decode("utf-8", "surrogatepass")

    def _take_out(self, found: list[Find], out: list[bytes]) -> None:
        """Write the text up to the end of the last find, with placeholders."""
        text, at, placeholder = self._text, self._left, self._placeholder
        for begin, end, shape in found:
            out += text[at:begin], placeholder(shape.kind, text[begin:end])
            at = end
        self.counts.update([shape.kind for _, _, shape in found])
        self._left = at
        if found[-1][2].swallows:
            self._swallowing = found[-1][2]

    def _swallow(self, shape: Shape, closed: bool) -> bool:
        """Leave out what belongs to a private text that has been replaced. Returns whether all of it has come."""
        stop = self.rest(shape).match(self._text, self._left)
        last, end = stop.end() if stop else self._left, len(self._text)
        if shape.kind == "PRIVATE_KEY":
            ended = _PEM_END.search(self._text, self._left, last)
            done = bool(ended) or closed or last < end
            self._left = ended.end() if ended else last if done else max(self._left, last - _PEM_END_BYTES)
            while not done and self._text[self._left - 1 : self._left] == b"\\":  # no escape is cut in two
                self._left -= 1
        else:
            dangling = end - last == 1 and self._text[last:] == b"." and shape.kind == "JWT"
            done = closed or (last < end and not dangling)
            self._left = last
        if done:
            self._swallowing = None
        return done


def redact(text: str, vault: Vault | None = None, scan: Scanner | None = None) -> str:
    """A whole text without what is private."""
    return Redactor(vault, scan).close(text)
