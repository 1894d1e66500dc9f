"""By which names a service may be called, and which addresses belong to a private network."""

import ipaddress
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

# Nobody can register a name below these, so no page of a stranger can have one (RFC 6761, RFC 6762, RFC 8375, ICANN).
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa", ".test")
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_served(host: str, names: Sequence[str], is_open: bool) -> bool:
    """Whether a request with this `Host` header may be answered.

    A page of a stranger can make its own name point to this machine (DNS rebinding). Its requests then have its name.
    Without keys (`is_open`) such a page could use the service, so only names that it cannot have are served.
    """
    name = _name(host)
    if name is None:
        return False
    if names:
        return any(fnmatchcase(name, pattern.lower()) for pattern in names)
    return not is_open or is_local_name(name) or literal(name) is not None


def is_loopback(address: str) -> bool:
    """Whether an IP address belongs to this machine."""
    found = literal(address)
    return found is not None and _unmapped(found).is_loopback


def is_private_url(url: str) -> bool:
    """Whether a URL points, by its text, into a private network: to its address, or to a name that only it knows.

    A public name may still resolve to a private address. Only who connects can check that.
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True
    host = host.rstrip(".")
    found = literal(host)
    if found is not None:
        unmapped = _unmapped(found)
        return not unmapped.is_global or unmapped.is_multicast
    return not host or is_local_name(host) or _is_numeric(host)


def is_metadata_url(url: str) -> bool:
    """Whether a URL points to a link-local address, where clouds tell their machines' secrets."""
    try:
        return is_metadata_address((urlsplit(url).hostname or "").rstrip("."))
    except ValueError:
        return False


def is_metadata_address(host: str) -> bool:
    """Whether a host is a link-local address."""
    found = literal(host)
    return found is not None and _unmapped(found).is_link_local


def is_local_name(name: str) -> bool:
    """Whether a name can only exist inside of a network: it has one part, or a reserved ending."""
    return "." not in name or name.endswith(_LOCAL_NAMES)


def literal(host: str) -> _Address | None:
    """The address that a host is, as browsers and C libraries read it; None for a name.

    They also read 127.1, 0x7f000001, 0177.0.0.1 and 2130706433.
    """
    text = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return _old_form(text)


def _old_form(text: str) -> _Address | None:
    parts = text.split(".")
    numbers = [_number(part) for part in parts]
    if len(parts) > 4 or any(n is None for n in numbers):
        return None
    *first, last = [n for n in numbers if n is not None]
    room = 256 ** (4 - len(first))
    if last >= room or any(n > 255 for n in first):
        return None
    return ipaddress.IPv4Address(sum(n << (8 * (3 - i)) for i, n in enumerate(first)) + last)


def _number(part: str) -> int | None:
    """A part of an address: decimal, octal with a leading 0, or hexadecimal with 0x."""
    try:
        if part[:2] in ("0x", "0X"):
            return int(part[2:] or "0", 16)
        return (
            int(part, 8 if part[:1] == "0" and len(part) > 1 else 10) if part.isascii() and part.isdecimal() else None
        )
    except ValueError:
        return None


def _is_numeric(host: str) -> bool:
    """Whether the last part is a number. Such a host is no name; some programs read it as an address nevertheless."""
    last = host.rpartition(".")[2]
    return last.isdecimal() or _number(last) is not None


def _unmapped(address: _Address) -> _Address:
    """The IPv4 address inside of an IPv6 one (::ffff:127.0.0.1, 64:ff9b::7f00:1, 2002:7f00:1::)."""
    if isinstance(address, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv6Network("64:ff9b::/96")
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in nat64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def _name(host: str) -> str | None:
    """The name in a `Host` header, without its port; None if it is malformed."""
    try:
        parsed = urlsplit(f"//{host.strip()}")
        _ = parsed.port
    except ValueError:
        return None
    name = (parsed.hostname or "").rstrip(".")
    if parsed.path or parsed.query or parsed.fragment or "@" in parsed.netloc or not _HOST.fullmatch(name):
        return None
    return name
