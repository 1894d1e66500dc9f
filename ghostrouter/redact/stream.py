"""Takes private text out of a stream."""

import re
from collections import Counter

from ghostrouter.redact.scan import Scanner, scanner
from ghostrouter.redact.shape import LONGEST, Found, Shape
from ghostrouter.redact.vault import Vault

_CONTEXT = 64  # bytes before the held text that a closer look may want to see
_PEM_END = re.compile(rb"-----END [A-Z0-9 ]{1,40}-----")
_PEM_END_BYTES = 64


class Redactor:
    """`feed` text in parts of any size, `close` at the end: what comes out is the same for all ways to cut it.

    Held back is only what could still become private text: from the leftmost place on where some shape has begun that
    is not yet complete. Placeholders are numbered by `vault`; several streams of a session share one.
    """

    def __init__(self, vault: Vault | None = None, scan: Scanner | None = None) -> None:
        self.vault = Vault() if vault is None else vault
        self.counts: Counter[str] = Counter()
        self._scan = scan or scanner()
        self._text = b""
        self._at = 0  # up to here all has left
        self._seek = 0  # up to here nothing private begins any more
        self._swallowing: Shape | None = None

    @property
    def held(self) -> int:
        """How many bytes wait for what follows them."""
        return len(self._text) - self._at

    def feed(self, text: str) -> str:
        """What may leave now."""
        return self._advance(text, closed=False)

    def close(self, text: str = "") -> str:
        """The rest, with the last part of the text."""
        return self._advance(text, closed=True)

    def _advance(self, text: str, closed: bool) -> str:
        self._text += text.encode("utf-8", "surrogatepass")
        out: list[bytes] = []
        scan, text_now, end = self._scan, self._text, len(self._text)
        begun = -1
        while self._swallowing is None or self._swallow(self._swallowing, closed):
            seek = max(self._seek, self._at)
            if begun < seek:
                begun = end if closed else max(self._at, scan.begun(text_now, seek))
            found, self._seek = scan.all(text_now, seek, begun, self._at)
            if not found and end - begun > LONGEST:  # only what swallows the rest may be so long
                one, self._seek = scan.look(text_now, begun, self._at)
                if one is None:
                    continue
                found = [one]
            if not found:
                out.append(text_now[self._at : begun])
                self._at = begun
                break
            self._take_out(found, out)
        keep = max(0, self._at - _CONTEXT)
        self._text, self._at = text_now[keep:], self._at - keep
        self._seek -= keep
        return b"".join(out).decode("utf-8", "surrogatepass")

    def _take_out(self, found: list[Found], out: list[bytes]) -> None:
        self.vault.cover(self._text, self._at, found, out)
        self.counts.update([shape.kind for _, _, shape in found])
        self._at = found[-1][1]
        if found[-1][2].swallows:
            self._swallowing = found[-1][2]

    def _swallow(self, shape: Shape, closed: bool) -> bool:
        """Leave out what belongs to private text that has been replaced; whether all of it is there."""
        stop = shape.rest.match(self._text, self._at)
        last, end = stop.end() if stop else self._at, len(self._text)
        if shape.kind == "PRIVATE_KEY":
            ended = _PEM_END.search(self._text, self._at, last)
            done = bool(ended) or closed or last < end
            self._at = ended.end() if ended else last if done else max(self._at, last - _PEM_END_BYTES)
        else:
            dangling = end - last == 1 and self._text[last:] == b"." and shape.kind == "JWT"
            done = closed or (last < end and not dangling)
            self._at = last
        if done:
            self._swallowing = None
        return done


def redact(text: str, vault: Vault | None = None) -> str:
    """A whole text."""
    return Redactor(vault).close(text)
