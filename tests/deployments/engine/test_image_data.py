"""Pictures of a request to what vLLM takes."""

import base64
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image as pillow

from deployments.engine.image_data import read_images
from ghostrouter.conversation import Image
from ghostrouter.errors import RequestRejected


def url(data: bytes, kind: str = "image/png") -> Image:
    return Image(f"data:{kind};base64,{base64.b64encode(data).decode()}")


def drawn(form: str, mode: str = "RGB") -> bytes:
    data = BytesIO()
    pillow.new(mode, (5, 3)).save(data, form)
    return data.getvalue()


def png_of(width: int, height: int) -> bytes:
    """The head of a PNG file: a few bytes that stand for a picture of any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("form", "mode"), [("PNG", "RGBA"), ("PNG", "L"), ("JPEG", "RGB"), ("GIF", "P"), ("WEBP", "RGB")]
)
def test_every_common_form_becomes_a_colour_picture(form: str, mode: str) -> None:
    (read,) = read_images([url(drawn(form, mode))])
    assert (read.mode, read.size) == ("RGB", (5, 3))


@pytest.mark.parametrize(
    "broken",
    [
        b"hello",
        b"",
        drawn("PNG")[:40],
        drawn("JPEG")[:-200],
        png_of(50_000, 50_000),
        png_of(0, 7),
    ],
)
def test_what_is_no_picture_is_refused(broken: bytes) -> None:
    with pytest.raises(RequestRejected, match="Image 2"):
        read_images([url(drawn("PNG")), url(broken)])


def test_a_small_file_for_a_huge_picture_is_refused_before_it_is_read() -> None:
    with pytest.raises(RequestRejected, match=r"Image 1 has 9000 x 9000 pixels"):
        read_images([url(png_of(9_000, 9_000))])


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(RequestRejected, match="Image 1 cannot be read"):
        read_images([Image("data:image/png;base64,!!!!")])
