"""Tables of numbers: rows of groups of four digits, in which every group might begin a card's number and none does.

Looked at group by group by the general way, such a row would be the dearest of all texts.
"""

import re
from collections.abc import Container

from ghostrouter.guard.checksums import DIHEDRAL, groups_of_four

# A group that begins with a zero may begin a telephone number.
_ROW = re.compile(rb"(?:[1-9]\d{3} ){5,40}(?=[1-9]\d{3}\b)")
_BYTES = 5  # of a group
# The last groups are left to the general way: with what follows they may be something else.
_LEFT = 4
_AADHAAR = 2000  # the first group of one, at least


def end(text: bytes, begin: int, cards: Container[int]) -> int:
    """Up to where no group of a row begins a card (four groups, Luhn) or an Aadhaar (three, Verhoeff); 0 for no row.

    `cards` are the groups that cards of four groups begin with.
    """
    row = _ROW.match(text, begin)
    if row is None:
        return 0
    luhn, outer, inner, wanted = groups_of_four()
    a, b, c = int(text[begin : begin + 4]), int(text[begin + 5 : begin + 9]), int(text[begin + 10 : begin + 14])
    for at in range(begin, row.end() - _LEFT * _BYTES, _BYTES):
        d = int(text[at + 15 : at + 19])
        if (luhn[a] + luhn[b] + luhn[c] + luhn[d]) % 10 == 0 and a in cards:
            break
        if DIHEDRAL[outer[c]][inner[b]] == wanted[a] and a >= _AADHAAR:
            break
        a, b, c = b, c, d
    else:
        at += _BYTES
    return at if at > begin else 0
