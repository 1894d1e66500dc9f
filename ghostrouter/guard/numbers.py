"""Numbers that name a person or an account: cards, bank accounts, national ids. Where there are check digits, they count."""

import re
from collections.abc import Callable

from ghostrouter.guard import columns
from ghostrouter.guard.checksums import luhn, mod11_10, mod97, weighted
from ghostrouter.guard.shape import WORD, WORD_BYTES, Shape

# ISO/IEC 7812: the first digits of the networks' cards, and how many there are in all.
_NETWORKS = tuple(
    (re.compile(start), frozenset(lengths))
    for start, lengths in (
        (rb"4", (13, 16, 19)), (rb"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-4]", (16,)), (rb"3[47]", (15,)),
        (rb"6011|64[4-9]|65|62|81", (16, 17, 18, 19)), (rb"3(?:0[0-5]|[689])", (14, 16)), (rb"35(?:2[89]|[3-8])", (16, 17, 18, 19)),
        (rb"5[06-8]|6(?:3|7)|60", (13, 14, 15, 16, 17, 18, 19)),
    )
)  # fmt: skip


_DIGIT_BYTES = frozenset(b"0123456789")


def _free(text: bytes, begin: int, end: int) -> bool:
    """Whether a number is no part of something longer: of a word, a decimal, a range."""
    after = text[end : end + 2]
    if after and (after[0] in WORD_BYTES or (len(after) > 1 and after[0] in b".," and after[1] in _DIGIT_BYTES)):
        return False
    if not begin:
        return True
    last = text[begin - 1]
    return not (
        last in WORD_BYTES or last in b"-+" or (last in b".," and begin > 1 and text[begin - 2] in _DIGIT_BYTES)
    )


def _card(match: "re.Match[bytes]") -> tuple[int, int] | None:
    number = match[0].translate(None, b" -")
    if not luhn(number):
        at = columns.end(match.string, match.start(), number)
        return (at, at) if at else None
    if not any(start.match(number) and len(number) in lengths for start, lengths in _NETWORKS):
        return None
    if len(set(number)) < 2 or not _free(match.string, *match.span()):
        return None
    return match.span()


# ISO 13616, the registry: characters of an IBAN by country.
_IBAN = {
    k.encode(): int(v)
    for k, v in (
        x.split(":")
        for x in (
            "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18 "
            "DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 "
            "IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 "
            "MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 "
            "SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
        ).split()
    )
}


_ONLY_DIGITS = frozenset(b"AT BA BE CZ DE DK EE ES FI HR HU IS LT NO PL PT RS SE SI SK".split())


def _iban(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """As many characters as the country's have, wherever the match ends."""
    text, begin = match.string, match.start()
    country = match[0][:2].upper()
    need = _IBAN.get(country, 0)
    found = match[0].translate(None, b" -")[:need]
    if not need or len(found) != need or (country in _ONLY_DIGITS and not found[4:].isdigit()) or not mod97(found):
        return None
    end = begin + need
    while len(text[begin:end].translate(None, b" -")) < need:
        end += 1
    return None if WORD.match(text, end) else (begin, end)


_SIN_BYTES = 11


def _sin_alone(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Not in a row of more groups of three digits: those are columns of numbers."""
    return (match.end(), match.end()) if len(match[0]) > _SIN_BYTES else _SIN(match)


def _id(check: Callable[[str], bool]) -> Callable[["re.Match[bytes]"], "tuple[int, int] | None"]:
    def accept(match: "re.Match[bytes]") -> tuple[int, int] | None:
        said = match.re.groups
        begin, end = match.span(said)
        text = match.string
        if not _free(text, begin, end) and not (said and not WORD.match(text, end)):
            return None
        bare = match[said].translate(None, b" ./()-").decode("latin-1").upper()
        return (begin, end) if check(bare) else None

    return accept


def _date(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _ssn(s: str) -> bool:
    return s[:3] not in ("000", "666") and s[0] != "9" and s[3:5] != "00" and s[5:] != "0000"


def _nino(s: str) -> bool:
    return s[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def _nhs(s: str) -> bool:
    return (11 - weighted(s, range(10, 1, -1)) % 11) % 11 == int(s[9])


_XYZ = str.maketrans("XYZ", "012")


def _dni(s: str) -> bool:
    number = s[:-1] if s[0] < "X" else s[:-1].translate(_XYZ)
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == s[-1]


def _nir(s: str) -> bool:
    body = s[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and s[0] in "12" and 97 - int(body) % 97 == int(s[13:])


_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip


def _codice(s: str) -> bool:
    even = sum(int(c, 36) if c.isdigit() else ord(c) - 65 for c in s[1:15:2])
    return chr(65 + (even + sum(_ODD[c] for c in s[0:15:2])) % 26) == s[15]


def _bsn(s: str) -> bool:
    return len(s) == 9 and int(s) > 0 and weighted(s, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _belgian(s: str) -> bool:
    return any(97 - int(prefix + s[:9]) % 97 == int(s[9:]) for prefix in ("", "2"))


def _cpf(s: str) -> bool:
    first = weighted(s[:9], range(10, 1, -1)) * 10 % 11 % 10
    return len(set(s)) > 1 and s[9:] == f"{first}{weighted(s[:9] + str(first), range(11, 1, -1)) * 10 % 11 % 10}"


def _cnpj(s: str) -> bool:
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weighted(s[:12], weights[1:]) % 11
    first = 0 if first < 2 else 11 - first
    second = weighted(s[:12] + str(first), weights) % 11
    return s[12:] == f"{first}{0 if second < 2 else 11 - second}"


def _pesel(s: str) -> bool:
    month = str(int(s[2:4]) % 20)
    return _date(month, s[4:6]) and weighted(s, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _swedish(s: str) -> bool:
    s = s.replace("+", "")[-10:]
    return s.isdigit() and 1 <= int(s[2:4]) <= 12 and 1 <= int(s[4:6]) % 60 <= 31 and luhn(s.encode())


def _finnish(s: str) -> bool:
    body = s[:6] + s[-4:-1]
    return _date(s[2:4], s[:2]) and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(body) % 31] == s[-1]


def _norwegian(s: str) -> bool:
    if not _date(str(int(s[2:4]) % 40 or 1), str(int(s[:2]) % 40 or 1)):
        return False
    first = -weighted(s, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    return s[9:] == f"{first}{-weighted(s[:9] + str(first % 10), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11}"


def _chinese(s: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return _date(s[10:12], s[12:14]) and "10X98765432"[weighted(s[:17], weights) % 11] == s[17]


def _korean(s: str) -> bool:
    return _date(s[2:4], s[4:6])


def _danish(s: str) -> bool:
    return _date(s[2:4], s[:2])


def _my_number(s: str) -> bool:
    rest = weighted(s[10::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)) % 11
    return int(s[11]) == (0 if rest <= 1 else 11 - rest)


def _tfn(s: str) -> bool:
    return weighted(s, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _rut(s: str) -> bool:
    rest = 11 - weighted(s[-2::-1], (2, 3, 4, 5, 6, 7, 2, 3)) % 11
    return {10: "K", 11: "0"}.get(rest, str(rest)) == s[-1]


def _cuit(s: str) -> bool:
    rest = 11 - weighted(s, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return {11: 0, 10: 9}.get(rest, rest) == int(s[10])


def _ahv(s: str) -> bool:
    return weighted(s, (1, 3) * 6 + (1,)) % 10 == 0


def _svnr(s: str) -> bool:
    return s[0] != "0" and (weighted(s[:3], (3, 7, 9)) + weighted(s[4:], (5, 8, 4, 2, 1, 6))) % 11 == int(s[3])


def _nif(s: str) -> bool:
    rest = 11 - weighted(s, range(9, 1, -1)) % 11
    return (0 if rest > 9 else rest) == int(s[8])


def _cnp(s: str) -> bool:
    rest = weighted(s, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return _date(s[3:5], s[5:7]) and (1 if rest == 10 else rest) == int(s[12])


def _turkish(s: str) -> bool:
    d = [int(c) for c in s]
    return d[9] == (7 * sum(d[0:9:2]) - sum(d[1:8:2])) % 10 and d[10] == sum(d[:10]) % 10


def _pps(s: str) -> bool:
    extra = 9 * (ord(s[8]) - 64) if len(s) == 9 else 0
    return "WABCDEFGHIJKLMNOPQRSTUV"[(weighted(s[:7], range(8, 1, -1)) + extra) % 23] == s[7]


def _czech(s: str) -> bool:
    month = int(s[2:4]) % 50
    return _date(str(month % 20 if month > 12 else month), s[4:6]) and int(s) % 11 == 0


def _african(s: str) -> bool:
    return _date(s[2:4], s[4:6]) and s[10] in "01" and luhn(s.encode())


def _nric(s: str) -> bool:
    total = weighted(s[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(s[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}[s[0]]
    return letters[10 - total % 11 if s[0] == "M" else total % 11] == s[8]


def _hkid(s: str) -> bool:
    rest = -(36 * 9 + weighted(s[1:7], range(7, 1, -1)) + 8 * (ord(s[0]) - 55)) % 11
    return s[7] == ("A" if rest == 10 else str(rest))


def _taiwanese(s: str) -> bool:
    code = 10 + "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(s[0])
    return (code // 10 + code % 10 * 9 + weighted(s[1:9], range(8, 0, -1)) + int(s[9])) % 10 == 0


def _israeli(s: str) -> bool:
    return luhn(s.zfill(9).encode())


def _aadhaar(s: str) -> bool:
    return s[0] in "23456789" and columns.verhoeff(s)


def _steuer(s: str) -> bool:
    return s[0] != "0" and mod11_10(s)


def _sin(s: str) -> bool:
    return s[0] not in "08" and luhn(s.encode())


def _any(s: str) -> bool:
    return True


def _said(names: str, number: str) -> str:
    return rf"(?i:{names})(?i:[ .:#=\x22\x27-]|\xef\xbc\x9a|is|ist|es|est|number|nummer|nr|no|id){{1,10}}({number})"


_SIN = _id(_sin)

_IDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (r"\b\d{3}-\d{2}-\d{4}", _ssn),
    (_said(r"ssn|social security", r"\d{3} ?\d{2} ?\d{4}"), _ssn),
    (r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", _nino),
    (r"\b\d{3} \d{3} \d{4}", _nhs),
    (_said(r"nhs", r"\d{10}|\d{3}-\d{3}-\d{4}"), _nhs),
    (r"\b(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]", _dni),
    (r"\b[12] ?\d{2} ?\d{2} ?(?:\d{2}|2A|2B) ?\d{3} ?\d{3} ?\d{2}", _nir),
    (r"\b[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", _codice),
    (_said(r"bsn|burgerservicenummer|sofinummer", r"\d{4}\.?\d{2}\.?\d{3}"), _bsn),
    (r"\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", _belgian),
    (r"\b\d{3}\.\d{3}\.\d{3}-\d{2}", _cpf),
    (_said(r"cpf", r"\d{11}"), _cpf),
    (r"\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", _cnpj),
    (r"\b\d{11}", lambda s: (_turkish(s) and s[0] != "0") or _norwegian(s)),
    (_said(r"pesel", r"\d{11}"), _pesel),
    (_said(r"tckn|t\.?c\.? kimlik(?: no)?", r"\d{11}"), _turkish),
    (r"\b(?:19|20)?\d{6}[-+]\d{4}", lambda s: _swedish(s)),
    (_said(r"cpr(?:-nummer)?", r"\d{6}-?\d{4}"), _danish),
    (_said(r"personnummer", r"(?:19|20)?\d{6}[-+]?\d{4}"), _swedish),
    (_said(r"f\xc3\xb8dselsnummer", r"\d{6} ?\d{5}"), _norwegian),
    (r"\b\d{6} \d{5}", _norwegian),
    (r"\b\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", _finnish),
    (r"\b[1-9]\d{5}(?:19|20)\d{9}[0-9X]", _chinese),
    (r"\b\d{6}-[1-8]\d{6}", _korean),
    (_said(r"my ?number|\xe3\x83\x9e\xe3\x82\xa4\xe3\x83\x8a\xe3\x83\xb3\xe3\x83\x90\xe3\x83\xbc", r"\d{4}[ -]?\d{4}[ -]?\d{4}"), _my_number),
    (r"\b[2-9]\d{3} \d{4} \d{4}", _aadhaar),
    (_said(r"aadhaar|aadhar", r"\d{4}[ -]?\d{4}[ -]?\d{4}"), _aadhaar),
    (r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", _any),
    (_said(r"sin|social insurance", r"\d{9}"), _sin),
    (_said(r"tfn|tax file", r"\d{3} ?\d{3} ?\d{3}"), _tfn),
    (_said(r"steuer-?id(?:entifikationsnummer)?|idnr\.?|steueridentifikationsnummer", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"), _steuer),
    (r"\b[1-9]\d \d{3} \d{3} \d{3}", _steuer),
    (r"\b\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]", _rut),
    (r"\b(?:20|2[3-7]|30|33|34)-\d{8}-\d", _cuit),
    (r"\b756\.\d{4}\.\d{4}\.\d{2}", _ahv),
    (_said(r"svnr|sozialversicherungsnummer|sv-nr", r"\d{4} ?\d{6}"), _svnr),
    (_said(r"nif|contribuinte", r"\d{3} ?\d{3} ?\d{3}"), _nif),
    (_said(r"cnp", r"\d{13}"), _cnp),
    (r"\b[1-8]\d{12}", lambda s: _cnp(s) and s[7:9] <= "52"),
    (_said(r"pps(?:n)?", r"\d{7}[A-W][A-I]?"), _pps),
    (r"\b\d{7}[A-W][A-IW]?", _pps),
    (r"\b\d{6}/\d{4}", _czech),
    (_said(r"id(?: number)?", r"\d{13}"), _african),
    (r"\b[STFGM]\d{7}[A-Z]", _nric),
    (r"\b[A-Z]\d{6}\([0-9A]\)", _hkid),
    (r"\b[A-Z][1289]\d{8}", _taiwanese),
    (_said(r"teudat zehut|israeli id", r"\d{8,9}"), _israeli),
    (r"\b[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z0-9]\d", lambda s: _date(s[6:8], s[8:10])),
)  # fmt: skip

_CARD = r"\b(?:[2-68]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?:[ -]?\d{3})?|3\d{3}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})"

# What the number of an account begins with in all countries but those named; two letters and two digits do nowhere else,
# so that a row of such words is no row of IBANs.
_BANK = r"(?:\d[A-Za-z0-9]{3}|[A-Za-z]{3}[A-Za-z0-9]|[A-Za-z]\d{3})"

SHAPES = (
    Shape(
        "IBAN",
        rf"\b(?:[A-Za-z]{{2}}\d{{2}}[ -]?{_BANK}|(?i:BY|DO|FK|GE|GT|MD)\d{{2}}[ -]?[A-Za-z0-9]{{4}})(?:[ -]?[A-Za-z0-9]{{1,4}}){{2,7}}",
        _iban,
    ),
    Shape("CARD", _CARD, _card),
    Shape("NATIONAL_ID", r"\b\d{3}[- ]\d{3}[- ]\d{3}(?:[- ]\d{3})?", _sin_alone),
    *(Shape("NATIONAL_ID", pattern, _id(check)) for pattern, check in _IDS),
)
