"""Numbers of bank accounts (ISO 13616)."""

import re

from ghostrouter.redact.checksums import mod97
from ghostrouter.redact.shape import Shape, in_word

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
    return None if in_word(text, end) else (begin, end)


# What the number of an account begins with in all countries but those named; two letters and two digits do nowhere else,
# so that a row of such words is no row of IBANs.
_BANK = r"(?:\d[A-Za-z0-9]{3}|[A-Za-z]{3}[A-Za-z0-9]|[A-Za-z]\d{3})"

SHAPES = (
    Shape(
        "IBAN",
        rf"\b(?:[A-Za-z]{{2}}\d{{2}}[ -]?{_BANK}|(?i:BY|DO|FK|GE|GT|MD)\d{{2}}[ -]?[A-Za-z0-9]{{4}})(?:[ -]?[A-Za-z0-9]{{1,4}}){{2,7}}",
        _iban,
    ),
)
