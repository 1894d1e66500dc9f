"""The bytes of a provider's response, unpacked if it compresses them although it was asked not to."""

import asyncio
import zlib
from collections.abc import AsyncGenerator

import httpx

from ghostrouter.errors import SegmentFailed

# zlib's window bits: with a gzip header, with zlib's own, and (what some servers call deflate) with none.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_NO_HEADER = -15
# Some servers write a character set, or a word for nothing, where the compression stands.
_PLAIN = frozenset({"", "identity", "none", "utf-8", "utf8", "chunked"})
_PIECE_BYTES = 65_536
# A few bytes can stand for a thousand times as many. Answers stay far below this.
_FREE_BYTES, _MOST_RATIO = 8_000_000, 300


def is_known(response: httpx.Response) -> bool:
    """Whether the body can be unpacked."""
    return _encoding(response) in _PLAIN or _encoding(response) in _WINDOW_BITS


async def decoded(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body in pieces, as it arrives.

    Raises:
        SegmentFailed: the body is not what `content-encoding` says, or it unpacks to too many bytes.
    """
    encoding = _encoding(response)
    if encoding not in _WINDOW_BITS:
        async for part in response.aiter_bytes():
            yield part
        return
    decoder, packed, plain = zlib.decompressobj(_WINDOW_BITS[encoding]), 0, 0
    async for part in response.aiter_raw():
        if not packed and encoding == "deflate" and not _has_zlib_header(part):
            decoder = zlib.decompressobj(_NO_HEADER)
        packed += len(part)
        while part:
            try:
                piece = decoder.decompress(part, _PIECE_BYTES)
            except zlib.error:
                raise SegmentFailed("its answer is not compressed as it says") from None
            plain += len(piece)
            if plain > _FREE_BYTES + _MOST_RATIO * packed:
                raise SegmentFailed("its answer unpacks to too many bytes")
            if piece:
                yield piece
            await asyncio.sleep(0)
            part = decoder.unconsumed_tail
            if decoder.eof and decoder.unused_data:  # another member of a gzip file
                part, decoder = decoder.unused_data, zlib.decompressobj(_WINDOW_BITS[encoding])
            elif decoder.eof:
                break


def _encoding(response: httpx.Response) -> str:
    told: str = response.headers.get("content-encoding", "")
    return told.strip().lower()


def _has_zlib_header(part: bytes) -> bool:
    return part[:1] == b"\x78"
