"""Tables of numbers: rows of groups of four digits, in which every group might begin a card's number and none does.

Looked at group by group by the general way, such a row would be the dearest of all texts.
"""

import re
from collections.abc import Container

from ghostrouter.guard.checksums import DIHEDRAL, groups_of_four

# A group that begins with a zero may begin a telephone number.
_ROW = re.compile(rb"(?:[1-9]\d{3} ){5,12}(?=[1-9]\d{3}\b)")
_BYTES = 5  # of a group
_AADHAAR = 2000  # the first group of one, at least


def end(text: bytes, begin: int, cards: Container[int]) -> int:
    """Up to where no group of a row begins a card (four groups, Luhn) or an Aadhaar (three, Verhoeff); 0 for no row.

    `cards` are the groups that cards of four groups begin with.
    """
    row = _ROW.match(text, begin)
    if row is None:
        return 0
    luhn, outer, inner, wanted = groups_of_four()
    groups = list(map(int, row[0].split()))  # the last four are left to the general way: something else may follow
    passed = 0
    for a, b, c, d in zip(groups, groups[1:], groups[2:], groups[3:-1], strict=False):
        if a in cards and (luhn[a] + luhn[b] + luhn[c] + luhn[d]) % 10 == 0:
            break
        if a >= _AADHAAR and DIHEDRAL[outer[c]][inner[b]] == wanted[a]:
            break
        passed += 1
    return begin + passed * _BYTES if passed else 0
