"""What makes a number a national id: more of Europe's countries, Asia, Latin America, and numbers for taxes.

As `id_checks`; sources: the countries' own rules, as python-stdnum (LGPL) collects them, by which these were compared.
"""

from ghostrouter.redact.checksums import luhn, mod11_10, weighted
from ghostrouter.redact.id_checks import dated


def _ends(s: bytes, check: int) -> bool:
    return s[-1:] == b"%d" % check


def _two(number: int) -> bytes:
    """As a day or a month is written."""
    return b"%02d" % number


def itin(s: bytes) -> bool:
    """USA, taxes of those who have no social security number."""
    return s[:1] == b"9" and s[3:5] >= b"50" and s[3:5] not in (b"89", b"93")


def rvnr(s: bytes) -> bool:
    """Germany, pensions: area, birthday, a letter of the name, serial number, check digit."""
    number = s[:8] + b"%02d" % (s[8] - 64) + s[9:]
    products = (int(bytes((c,))) * w for c, w in zip(number[:12], (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return dated(s[4:6], _two(int(s[2:4]) % 50 or 1)) and _ends(s, sum(p // 10 + p % 10 for p in products) % 10)


def bulgarian(s: bytes) -> bool:
    """Bulgaria; the month counts on for other centuries."""
    check = weighted(s, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return dated(_two(int(s[2:4]) % 20), s[4:6]) and _ends(s, check)


def croatian(s: bytes) -> bool:
    """Croatia (OIB)."""
    return mod11_10(s)


def yugoslav(s: bytes) -> bool:
    """Slovenia, Serbia, Bosnia, Montenegro, North Macedonia (JMBG)."""
    return dated(s[2:4], s[:2]) and _ends(s, -weighted(s, (7, 6, 5, 4, 3, 2) * 2) % 11 % 10)


def baltic(s: bytes) -> bool:
    """Estonia, Lithuania."""
    check = weighted(s, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if check == 10:
        check = weighted(s, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return dated(s[3:5], s[5:7]) and _ends(s, check)


def latvian(s: bytes) -> bool:
    """Latvia: a birthday, or 32."""
    return s[:2] == b"32" or dated(s[2:4], s[:2])


def hungarian(s: bytes) -> bool:
    """Hungary (TAJ)."""
    return _ends(s, weighted(s, (3, 7) * 4) % 10)


def greek(s: bytes) -> bool:
    """Greece (AMKA)."""
    return dated(s[2:4], s[:2]) and luhn(s)


def greek_tax(s: bytes) -> bool:
    """Greece (AFM)."""
    return _ends(s, weighted(s, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10)


def icelandic(s: bytes) -> bool:
    """Iceland."""
    return dated(s[2:4], _two(int(s[:2]) % 40)) and s[8:9] == b"%d" % (-weighted(s, (3, 2, 7, 6, 5, 4, 3, 2)) % 11)


def snils(s: bytes) -> bool:
    """Russia, pensions."""
    return int(s[9:]) == weighted(s, range(9, 0, -1)) % 101 % 100


def inn(s: bytes) -> bool:
    """Russia, taxes: of persons."""
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    return s[10:11] == b"%d" % (weighted(s, weights[1:]) % 11 % 10) and _ends(s, weighted(s, weights) % 11 % 10)


def ukrainian(s: bytes) -> bool:
    """Ukraine."""
    return _ends(s, weighted(s, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10)


def malaysian(s: bytes) -> bool:
    """Malaysia: birthday and state."""
    return dated(s[2:4], s[4:6]) and b"01" <= s[6:8] <= b"98" and s[6:8] not in (b"17", b"18", b"19", b"20")


def thai(s: bytes) -> bool:
    """Thailand."""
    return _ends(s, (11 - weighted(s, range(13, 1, -1)) % 11) % 10)


def indonesian(s: bytes) -> bool:
    """Indonesia: district and birthday, 40 more for women."""
    return b"11" <= s[:2] <= b"97" and dated(s[8:10], _two(int(s[6:8]) % 40))


def vietnamese(s: bytes) -> bool:
    """Vietnam: province."""
    return b"001" <= s[:3] <= b"096"


def pakistani(s: bytes) -> bool:
    """Pakistan: province."""
    return s[:1] not in (b"0", b"8", b"9")


def newzealander(s: bytes) -> bool:
    """New Zealand, taxes."""
    s = s.zfill(9)
    check = -weighted(s, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    if check == 10:
        check = -weighted(s, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return _ends(s, check)


def medicare(s: bytes) -> bool:
    """Australia, health."""
    return b"2" <= s[:1] <= b"6" and s[8:9] == b"%d" % (weighted(s, (1, 3, 7, 9, 1, 3, 7, 9)) % 10)


def numbered(s: bytes) -> bool:
    """Nothing but digits that are not all the same, after a name that says all."""
    return len(set(s)) > 2


def document(s: bytes) -> bool:
    """Of a passport or a licence: letters and at least five digits."""
    return sum(48 <= c < 58 for c in s) >= 5
