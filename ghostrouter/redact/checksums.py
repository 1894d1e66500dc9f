"""Check digits of cards, bank accounts and national ids. Every function takes the bare characters."""

from collections.abc import Sequence
from functools import cache
from operator import mul
from typing import NamedTuple

_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_ZERO = 48  # its code
_BASE36 = {b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i]: str(i) for i in range(36)}
# D. Verhoeff, Error Detecting Decimal Codes (1969): the multiplication of the dihedral group D5, and a permutation.
DIHEDRAL = [
    [int(c) for c in row]
    for row in (
        "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
        "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
    )
]  # fmt: skip
_TURN = [
    [int(c) for c in row]
    for row in (
        "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
    )
]  # fmt: skip


def luhn(digits: bytes) -> bool:
    """ISO/IEC 7812-1, annex B."""
    return luhn_sum(digits) % 10 == 0


def luhn_sum(digits: bytes) -> int:
    """The sum that has to end with a zero; of a number's part with an even count of digits behind it, its share."""
    return sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED)) - _ZERO * len(digits)


def mod97(iban: bytes) -> bool:
    """ISO 13616: letters as 10 to 35, the first four characters last."""
    return int("".join(map(_BASE36.__getitem__, (iban[4:] + iban[:4]).upper()))) % 97 == 1


def weighted(digits: bytes, weights: Sequence[int]) -> int:
    """The sum of the digits by their weights, as far as both go."""
    return sum(map(mul, digits.translate(_PLAIN), weights))


def verhoeff(digits: bytes) -> bool:
    """Of twelve digits, India's Aadhaar."""
    (_, outer, inner, wanted), number = groups_of_four(), int(digits)
    return DIHEDRAL[outer[number % 10_000]][inner[number // 10_000 % 10_000]] == wanted[number // 100_000_000]


class GroupsOfFour(NamedTuple):
    """What each group of four digits has to do with check digits, by its number."""

    luhn: bytes  # its part of Luhn's sum
    outer: bytes  # its factor of Verhoeff's product, as the last of three
    inner: bytes  # as the second
    wanted: bytes  # what the product of the others has to be, if it is the first


@cache
def groups_of_four() -> GroupsOfFour:
    """As bytes: a processor's nearest memory holds them all."""
    groups = [f"{n:04}".encode() for n in range(10_000)]
    outer, inner = (bytes(_verhoeff_product(group, place) for group in groups) for place in (0, 4))
    inverse = [row.index(0) for row in DIHEDRAL]
    return GroupsOfFour(
        bytes(luhn_sum(group) % 10 for group in groups), outer, inner, bytes(inverse[factor] for factor in outer)
    )


def _verhoeff_product(digits: bytes, place: int) -> int:
    """The product that has to be zero; of a number's part with `place` digits behind it, its factor."""
    product = 0
    for i, digit in enumerate(reversed(digits.translate(_PLAIN)), place):
        product = DIHEDRAL[product][_TURN[i % 8][digit]]
    return product


def mod11_10(digits: bytes) -> bool:
    """ISO/IEC 7064, MOD 11,10: Germany's tax id."""
    *body, check = digits.translate(_PLAIN)
    product = 10
    for digit in body:
        product = 2 * ((digit + product) % 10 or 10) % 11
    return (11 - product) % 10 == check
