"""What makes a number a national id, country by country. Every check takes the bare characters, letters upper case.

Cheap conditions that most numbers fail come first.
"""

from collections.abc import Iterable

from ghostrouter.redact.checksums import luhn, mod11_10, verhoeff, weighted

_ZERO, _NINE, _A, _X = b"09AX"
_XYZ = bytes.maketrans(b"XYZ", b"012")
_ODD: dict[int, int] = dict(zip(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip
_EVEN: dict[int, int] = dict(zip(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (*range(10), *range(26)), strict=True))
_NRIC = {b"S": b"JZIHGFEDCBA", b"T": b"JZIHGFEDCBA", b"F": b"XWUTRQPNMLK", b"G": b"XWUTRQPNMLK", b"M": b"KLJNPQRTUWX"}


def _digit(s: bytes, at: int) -> int:
    return s[at] - 48


def _two_digits(numbers: Iterable[int], *more: int) -> frozenset[bytes]:
    """As they are written, and with each of `more` added: what else such a number is made to say."""
    return frozenset(b"%02d" % (number + by) for number in numbers for by in (0, *more))


_MONTHS, _DAYS = range(1, 13), range(1, 32)
_MONTH, _DAY = _two_digits(_MONTHS), _two_digits(_DAYS)
_POLISH_MONTH = _two_digits(_MONTHS, 20, 40, 60, 80)  # the century
_CZECH_MONTH = _two_digits(_MONTHS, 20, 50, 70)  # women's, and what one has when there are no others left
_SWEDISH_DAY = _two_digits(_DAYS, 60)  # of those who come and go
_NORWEGIAN_MONTH, _NORWEGIAN_DAY = _two_digits((0, *_MONTHS), 40, 80), _two_digits((0, *_DAYS), 40, 80)


def dated(month: bytes, day: bytes) -> bool:
    """Whether there is such a day."""
    return month in _MONTH and day in _DAY


def ssn(s: bytes) -> bool:
    """USA."""
    return s[:3] not in (b"000", b"666") and s[0] != _NINE and s[3:5] != b"00" and s[5:] != b"0000"


def nino(s: bytes) -> bool:
    """United Kingdom, national insurance."""
    return s[:2] not in (b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ")


def nhs(s: bytes) -> bool:
    """United Kingdom, health."""
    return weighted(s, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def dni(s: bytes) -> bool:
    """Spain."""
    number = s[:-1] if s[0] < _X else s[:-1].translate(_XYZ)
    return b"TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == s[-1]


def nir(s: bytes) -> bool:
    """France."""
    body = s[:13].replace(b"2A", b"19").replace(b"2B", b"18")
    return body.isdigit() and s[:1] in (b"1", b"2") and 97 - int(body) % 97 == int(s[13:])


def codice(s: bytes) -> bool:
    """Italy."""
    return _A + (sum(_EVEN[c] for c in s[1:15:2]) + sum(_ODD[c] for c in s[0:15:2])) % 26 == s[15]


def bsn(s: bytes) -> bool:
    """The Netherlands."""
    return len(s) == 9 and int(s) > 0 and weighted(s, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def belgian(s: bytes) -> bool:
    """Belgium; those born from 2000 on count with a 2 before."""
    body, check = int(s[:9]), 97 - int(s[9:])
    return body % 97 == check or (2_000_000_000 + body) % 97 == check


def cpf(s: bytes) -> bool:
    """Brazil, persons."""
    if weighted(s, range(10, 1, -1)) * 10 % 11 % 10 != _digit(s, 9) or len(set(s)) < 2:
        return False
    return weighted(s, range(11, 1, -1)) * 10 % 11 % 10 == _digit(s, 10)


def cnpj(s: bytes) -> bool:
    """Brazil, firms."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    return _brazilian(weighted(s, weights[1:])) == _digit(s, 12) and _brazilian(weighted(s, weights)) == _digit(s, 13)


def _brazilian(total: int) -> int:
    return 0 if total % 11 < 2 else 11 - total % 11


def pesel(s: bytes) -> bool:
    """Poland."""
    return s[2:4] in _POLISH_MONTH and s[4:6] in _DAY and weighted(s, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def swedish(s: bytes) -> bool:
    """Sweden."""
    s = s.replace(b"+", b"")[-10:]
    return s.isdigit() and s[2:4] in _MONTH and s[4:6] in _SWEDISH_DAY and luhn(s)


def finnish(s: bytes) -> bool:
    """Finland."""
    if not dated(s[2:4], s[:2]):
        return False
    return b"0123456789ABCDEFHJKLMNPRSTUVWXY"[int(s[:6] + s[-4:-1]) % 31] == s[-1]


def norwegian(s: bytes) -> bool:
    """Norway."""
    if s[2:4] not in _NORWEGIAN_MONTH or s[:2] not in _NORWEGIAN_DAY:
        return False
    first = -weighted(s, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    return first == _digit(s, 9) and -weighted(s, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 == _digit(s, 10)


def chinese(s: bytes) -> bool:
    """China."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return dated(s[10:12], s[12:14]) and b"10X98765432"[weighted(s, weights) % 11] == s[17]


def korean(s: bytes) -> bool:
    """South Korea."""
    return dated(s[2:4], s[4:6])


def danish(s: bytes) -> bool:
    """Denmark."""
    return dated(s[2:4], s[:2])


def my_number(s: bytes) -> bool:
    """Japan."""
    rest = weighted(s[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return _digit(s, 11) == (0 if rest <= 1 else 11 - rest)


def tfn(s: bytes) -> bool:
    """Australia."""
    return weighted(s, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def rut(s: bytes) -> bool:
    """Chile."""
    return b"0K987654321"[weighted(s[-2::-1], (2, 3, 4, 5, 6, 7, 2, 3)) % 11] == s[-1]


def cuit(s: bytes) -> bool:
    """Argentina."""
    return b"09987654321"[weighted(s, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11] == s[10]


def ahv(s: bytes) -> bool:
    """Switzerland."""
    return weighted(s, (1, 3) * 6 + (1,)) % 10 == 0


def svnr(s: bytes) -> bool:
    """Austria."""
    return s[:1] != b"0" and weighted(s, (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)) % 11 == _digit(s, 3)


def nif(s: bytes) -> bool:
    """Portugal."""
    rest = 11 - weighted(s, range(9, 1, -1)) % 11
    return (0 if rest > 9 else rest) == _digit(s, 8)


def cnp(s: bytes) -> bool:
    """Romania."""
    if not dated(s[3:5], s[5:7]):
        return False
    rest = weighted(s, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return (1 if rest == 10 else rest) == _digit(s, 12)


def cnp_bare(s: bytes) -> bool:
    """Romania, where nothing says that it is one: the county has to be there, too."""
    return s[7:9] <= b"52" and cnp(s)


def turkish(s: bytes) -> bool:
    """Turkey. The last digit is the sum of the others."""
    if (sum(s[:10]) - s[10]) % 10 != 2:  # ten times 48, less 48: the code of "0"
        return False
    return s[9] - 48 == (7 * (sum(s[0:9:2]) - 240) - (sum(s[1:8:2]) - 192)) % 10


def norwegian_or_turkish(s: bytes) -> bool:
    """Eleven digits that nothing announces."""
    return (s[0] != _ZERO and turkish(s)) or norwegian(s)


def pps(s: bytes) -> bool:
    """Ireland."""
    extra = 9 * (s[8] - 64) if len(s) == 9 else 0
    return b"WABCDEFGHIJKLMNOPQRSTUV"[(weighted(s, range(8, 1, -1)) + extra) % 23] == s[7]


def czech(s: bytes) -> bool:
    """Czechia, Slovakia."""
    return s[2:4] in _CZECH_MONTH and s[4:6] in _DAY and int(s) % 11 == 0


def african(s: bytes) -> bool:
    """South Africa."""
    return s[10:11] in (b"0", b"1") and dated(s[2:4], s[4:6]) and luhn(s)


def nric(s: bytes) -> bool:
    """Singapore."""
    extra = {b"T": 4, b"G": 4, b"M": 3}.get(s[:1], 0)
    return _NRIC[s[:1]][(weighted(s[1:8], (2, 7, 6, 5, 4, 3, 2)) + extra) % 11] == s[8]


def hkid(s: bytes) -> bool:
    """Hong Kong."""
    return b"0123456789A"[-(36 * 9 + weighted(s[1:7], range(7, 1, -1)) + 8 * (s[0] - 55)) % 11] == s[7]


def taiwanese(s: bytes) -> bool:
    """Taiwan."""
    tens, ones = divmod(10 + b"ABCDEFGHJKLMNPQRSTUVXYWZIO".index(s[0]), 10)
    return (tens + ones * 9 + weighted(s[1:10], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def israeli(s: bytes) -> bool:
    """Israel."""
    return luhn(s.zfill(9))


def aadhaar(s: bytes) -> bool:
    """India."""
    return s[0] > ord("1") and verhoeff(s)


def steuer(s: bytes) -> bool:
    """Germany."""
    return s[:1] != b"0" and mod11_10(s)


def sin(s: bytes) -> bool:
    """Canada."""
    return s[:1] not in (b"0", b"8") and luhn(s)


def curp(s: bytes) -> bool:
    """Mexico: nothing but its form and a date."""
    return dated(s[6:8], s[8:10])


def pan(s: bytes) -> bool:
    """India, taxes: nothing but its form."""
    return True
