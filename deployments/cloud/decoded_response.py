"""The bytes of a provider's response, unpacked if it compresses them although it was asked not to."""

import asyncio
import zlib
from collections.abc import AsyncGenerator

import httpx

from ghostrouter.api import unpacker
from ghostrouter.api.unpacker import Unpacker
from ghostrouter.errors import SegmentFailed

# A few bytes can stand for a thousand times as many. Answers stay far below this.
_FREE_BYTES, _MOST_RATIO = 8_000_000, 300


def is_known(response: httpx.Response) -> bool:
    """Whether the body can be read."""
    return not _encoding(response) or unpacker.is_known(_encoding(response))


async def decoded(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body in pieces, as it arrives.

    Raises:
        SegmentFailed: the body is not what `content-encoding` says, or it unpacks to too many bytes.
    """
    encoding = _encoding(response)
    if not encoding:
        async for part in response.aiter_bytes():
            yield part
        return
    packed, plain, unpacked = 0, 0, Unpacker(encoding)
    async for part in response.aiter_raw():
        packed += len(part)
        try:
            for piece in unpacked.push(part):
                plain += len(piece)
                if plain > _FREE_BYTES + _MOST_RATIO * packed:
                    raise SegmentFailed("its answer unpacks to too many bytes")
                yield piece
                await asyncio.sleep(0)
        except zlib.error:
            raise SegmentFailed("its answer is not compressed as it says") from None


def _encoding(response: httpx.Response) -> str:
    return unpacker.encoding_of(response.headers.get("content-encoding", ""))
