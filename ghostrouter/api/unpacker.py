"""Unpacks what is sent with `content-encoding: gzip` or `deflate`: bodies of requests, and answers of providers."""

import zlib
from collections.abc import Iterator

# zlib's window bits: with a gzip header, with zlib's own (which is what HTTP calls deflate), and with none.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_NO_HEADER = -15
# Some write a character set, or a word for nothing, where the compression stands.
_PLAIN = frozenset({"identity", "none", "utf-8", "utf8", "chunked"})
_PIECE_BYTES = 65_536
KNOWN = ", ".join(_WINDOW_BITS)


class Unpacker:
    """Bytes in, plain bytes out. A gzip file may have several members, and deflate may come without its header.

    `encoding` is one of `KNOWN`. `is_complete`: the end of the packed data has come.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = zlib.decompressobj(_WINDOW_BITS[encoding])
        self._begun = False

    @property
    def is_complete(self) -> bool:
        return self._decoder.eof

    def push(self, part: bytes) -> Iterator[bytes]:
        """Add bytes. Yields what they stand for, 64 KiB at a time, so that the caller can stop when it is too much.

        Raises:
            zlib.error: they are not packed in this way.
        """
        if part and not self._begun:
            self._begun = True
            if self._encoding == "deflate" and part[:1] != b"\x78":
                self._decoder = zlib.decompressobj(_NO_HEADER)
        while part:
            piece = self._decoder.decompress(part, _PIECE_BYTES)
            if piece:
                yield piece
            part = self._decoder.unconsumed_tail
            if self._decoder.eof and self._decoder.unused_data:  # another member of a gzip file
                part, self._decoder = self._decoder.unused_data, zlib.decompressobj(_WINDOW_BITS[self._encoding])
            elif self._decoder.eof:
                return


def encoding_of(told: str) -> str:
    """What a header `content-encoding` says: the compression in lower case, or "" for none."""
    return ",".join(e for e in (w.strip().lower() for w in told.split(",")) if e and e not in _PLAIN)


def is_known(encoding: str) -> bool:
    """Whether an `Unpacker` can unpack it."""
    return encoding in _WINDOW_BITS
