"""Tables of numbers: rows of groups of four digits, in which every group might begin a card's number and none does.

Looked at group by group by the general way, such a row would be the dearest of all texts.
"""

import re

from ghostrouter.guard.checksums import DIHEDRAL, groups_of_four

# A group that begins with a zero may begin a telephone number.
_ROW = re.compile(rb"(?:[1-9]\d{3} ){5,16}(?=[1-9]\d{3}\b)")
_BYTES = 5  # of a group
# The last groups are left to the general way: with what follows they may be something else.
_LEFT = 4


def end(text: bytes, begin: int, number: bytes) -> int:
    """Up to where no group of a row begins a card (four groups, Luhn) or an Aadhaar (three, Verhoeff); 0 for no row.

    `number` are the digits of the first groups.
    """
    luhn, outer, inner = groups_of_four()
    a, b, c = int(number[:4]), int(number[4:8]), int(number[8:12])
    if DIHEDRAL[DIHEDRAL[outer[c]][inner[b]]][outer[a]] == 0:
        return 0
    row = _ROW.match(text, begin)
    if row is None:
        return 0
    at, last = begin, row.end() - _LEFT * _BYTES
    while at < last:
        d = int(text[at + 15 : at + 19])
        if DIHEDRAL[DIHEDRAL[outer[c]][inner[b]]][outer[a]] == 0 or (luhn[a] + luhn[b] + luhn[c] + luhn[d]) % 10 == 0:
            break
        at += _BYTES
        a, b, c = b, c, d
    return at if at > begin else 0
