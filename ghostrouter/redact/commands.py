"""Passwords among the arguments of commands."""

import re

from ghostrouter.redact.assigned import INSERTED, STOP
from ghostrouter.redact.shape import Shape

_DIGIT, _OTHER = re.compile(rb"\d"), re.compile(rb"[^0-9]")
_CLOSING = b".,:;!?)]}|`"


def _argument(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """All but a number, or what another word stands for."""
    begin, value = match.start(1), match[1].rstrip(_CLOSING)
    if len(value) < 4 or not _OTHER.search(value) or STOP.fullmatch(value) or INSERTED.match(value):
        return None
    return begin, begin + len(value)


def _sure(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """With a digit, where the option may mean something else."""
    return _argument(match) if _DIGIT.search(match[1]) else None


_ANY = r"[^\x00-\x1f|;]"
_VALUE = r"([^\x00-\x20\x22\x27|;<>]{4,64}+)"
_CURL = r"\b(?:curl|wget|http)[ \t]"
_JOINED = r"\b(?:mysql(?:dump|admin|import|sh)?|mariadb(?:-dump)?|xtrabackup)[ \t]"
_APART = r"\b(?:sshpass|docker login|podman login|helm registry login|mongo(?:sh|dump|restore)?|oc login|az login|twine upload|smbpasswd|winrs|psexec|kinit|nomachine|ipmitool)[ \t]"
_BIND = r"\b(?:ldap(?:search|modify|add|delete|passwd|whoami)|redis-cli)[ \t]"
_SHARE = r"\bnet use [^\x00-\x20]{1,64} [^\x00-\x20]{1,128} "
_PASSED = r"\b(?:pass|passin|passout)[ =:]pass:"

SHAPES = (
    Shape("PASSWORD", rf"{_CURL}{_ANY}{{0,80}}?(?:-u|--user)[ =][\x22\x27]?[A-Za-z0-9_.-]{{1,64}}:([^\x00-\x20\x22\x27@]{{4,64}}+)", _argument, start=_CURL),
    Shape("PASSWORD", rf"{_JOINED}{_ANY}{{0,80}}? -p[\x22\x27]?{_VALUE}", _argument, start=_JOINED),
    Shape("PASSWORD", rf"{_APART}{_ANY}{{0,80}}?-p[ =]?[\x22\x27]?{_VALUE}", _sure, start=_APART),
    Shape("PASSWORD", rf"{_BIND}{_ANY}{{0,80}}? -[aw] [\x22\x27]?{_VALUE}", _argument, start=_BIND),
    Shape("PASSWORD", rf"{_SHARE}{_VALUE}", _sure, start=r"\bnet use "),
    Shape("PASSWORD", rf"{_PASSED}{_VALUE}", _argument, start=_PASSED),
)  # fmt: skip
