"""Addresses of mail as they stand in an address of the web: `to=anna%40example.org`."""

import re
import string

from ghostrouter.redact.shape import WORD_BYTES, Shape

_LOCAL = 64
_LOCAL_BYTES = (string.ascii_letters + string.digits + "._%+-").encode()
_AT = r"%40(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}+"


def _encoded(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """From the %40 back to where the local part begins."""
    text, (at, end) = match.string, match.span()
    before = text[max(0, at - _LOCAL) : at]
    local = len(before) - len(before.rstrip(_LOCAL_BYTES))
    return (at - local, end) if local and (end == len(text) or text[end] not in WORD_BYTES) else None


SHAPES = (Shape("EMAIL", rf"[A-Za-z0-9._%+-]{{1,{_LOCAL}}}{_AT}", _encoded, core=_AT),)
