"""Tables of numbers: rows of groups of four digits, in which every group might begin a card's number and none does.

Looked at group by group by the general way, such a row would be the dearest of all texts.
"""

from collections.abc import Container
from functools import cache
from itertools import islice, repeat

from ghostrouter.redact.checksums import DIHEDRAL, groups_of_four

_BYTES = 5  # of a group, with the space behind it
_ROW = 12 * _BYTES
_BEHIND = 5  # groups that are left to the general way
_AADHAAR = 2000  # the first group of one, at least


def end(text: bytes, begin: int, cards: Container[int]) -> int:
    """Up to where no group of a row begins a card (four groups, Luhn) or an Aadhaar (three, Verhoeff); 0 for no row.

    `cards` are the groups that cards of four groups begin with. The row's last groups are left to the general way: with
    what follows they may be something else.
    """
    row = map(_numbers().get, text[begin : begin + _ROW].split(b" "), repeat(0))
    first = tuple(islice(row, _BEHIND))
    if len(first) < _BEHIND or 0 in first:
        return 0
    luhn, outer, inner, wanted = groups_of_four()
    a, b, c, d, e = first
    passed = 0
    for following in row:
        if not following or (a in cards and (luhn[a] + luhn[b] + luhn[c] + luhn[d]) % 10 == 0):
            break
        if a >= _AADHAAR and DIHEDRAL[outer[c]][inner[b]] == wanted[a]:
            break
        passed += 1
        a, b, c, d, e = b, c, d, e, following
    return begin + passed * _BYTES if passed else 0


@cache
def _numbers() -> dict[bytes, int]:
    """The groups. One that begins with a zero may begin a telephone number."""
    return {b"%d" % number: number for number in range(1000, 10_000)}
