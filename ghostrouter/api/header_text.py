"""Names of the configuration in HTTP headers."""

from urllib.parse import quote


def header_text(name: str) -> str:
    """A name as a header may carry it: percent-encoded where it is not printable ASCII. Names are in any script."""
    return quote(name, safe=" !#$&'()*+,/:;=?@[]<>^`{|}\"\\")
