"""The pictures of a request, as vLLM takes them."""

import base64
import binascii
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from ghostrouter.conversation import Image
from ghostrouter.errors import RequestRejected

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

# A small file can stand for a huge picture. No camera makes larger ones.
_MOST_PIXELS = 64_000_000


def read_images(images: Sequence[Image]) -> list["Picture"]:
    """Read images that are inline. Takes a while: not for an event loop.

    Raises:
        RequestRejected: one of them cannot be read, or has more than 64 million pixels.
    """
    return [_read(image, number) for number, image in enumerate(images, 1)]


def _read(image: Image, number: int) -> "Picture":
    from PIL import Image as pillow  # slow to import, and only needed for pictures

    try:
        data = base64.b64decode(image.inline[1], validate=True)
        with pillow.open(BytesIO(data)) as found:
            if found.width * found.height > _MOST_PIXELS:
                raise RequestRejected(f"Image {number} has {found.width} x {found.height} pixels. That is too large.")
            return found.convert("RGB")
    except (binascii.Error, OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise RequestRejected(f"Image {number} cannot be read: {error}") from error
