"""National ids that nothing announces: what they look like. `id_checks` says which of such numbers are some."""

import re
from collections.abc import Callable

from ghostrouter.redact import id_checks as check
from ghostrouter.redact import id_checks_east as more
from ghostrouter.redact.shape import Accept, Shape, apart

Check = Callable[[bytes], bool]

BETWEEN = b" ./()-"  # what groups of digits are apart by
_SIN_BYTES = 11


def _alone(check: Check) -> Accept:
    """A number by which nothing stands that says what it is."""

    def accept(match: "re.Match[bytes]") -> tuple[int, int] | None:
        return match.span() if check(match[0].translate(None, BETWEEN).upper()) else None

    return accept


_SIN = _alone(check.sin)


def _sin_alone(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Not in a row of more groups of three digits: those are columns of numbers."""
    if len(match[0]) > _SIN_BYTES:
        return match.end(), match.end()
    return _SIN(match) if apart(match.string, *match.span()) else None


def _id(pattern: str, check: Check) -> Shape:
    return Shape("NATIONAL_ID", pattern, _alone(check), apart=True)


_IDS: tuple[tuple[str, Check], ...] = (
    (r"\b\d{3}-\d{2}-\d{4}", check.ssn),
    (r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", check.nino),
    (r"\b\d{3} \d{3} \d{4}", check.nhs),
    (r"\b(?:\d{8}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z]", check.dni),
    (r"\b[12] ?\d{2} ?\d{2} ?(?:\d{2}|2A|2B) ?\d{3} ?\d{3} ?\d{2}", check.nir),
    (r"\b[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", check.codice),
    (r"\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", check.belgian),
    (r"\b\d{3}\.\d{3}\.\d{3}-\d{2}", check.cpf),
    (r"\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", check.cnpj),
    (r"\b\d{11}", check.norwegian_or_turkish),
    (r"\b(?:19|20)?\d{6}[-+]\d{4}", check.swedish),
    (r"\b\d{6} \d{5}", check.norwegian),
    (r"\b\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", check.finnish),
    (r"\b[1-9]\d{5}(?:19|20)\d{9}[0-9X]", check.chinese),
    (r"\b\d{6}-[1-8]\d{6}", check.korean),
    (r"\b[2-9]\d{3} \d{4} \d{4}", check.aadhaar),
    (r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", check.pan),
    (r"\b[1-9]\d \d{3} \d{3} \d{3}", check.steuer),
    (r"\b\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]", check.rut),
    (r"\b(?:20|2[3-7]|30|33|34)-\d{8}-\d", check.cuit),
    (r"\b756\.\d{4}\.\d{4}\.\d{2}", check.ahv),
    (r"\b[1-8]\d{12}", check.cnp_bare),
    (r"\b\d{7}[A-W][A-IW]?", check.pps),
    (r"\b\d{6}/\d{4}", check.czech),
    (r"\b[STFGM]\d{7}[A-Z]", check.nric),
    (r"\b[A-Z]\d{6}\([0-9A]\)", check.hkid),
    (r"\b[A-Z][1289]\d{8}", check.taiwanese),
    (r"\b[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z0-9]\d", check.curp),
    (r"\b9\d{2}-\d{2}-\d{4}", more.itin),
    (r"\b\d{2} ?\d{6} ?[A-Z] ?\d{3}", more.rvnr),
    (r"\b\d{3}-\d{3}-\d{3} \d{2}", more.snils),
    (r"\b\d{6}-\d{2}-\d{4}", more.malaysian),
    (r"\b\d-\d{4}-\d{5}-\d{2}-\d", more.thai),
    (r"\b\d{5}-\d{7}-\d", more.pakistani),
)  # fmt: skip

SHAPES = (
    Shape("NATIONAL_ID", r"\b\d{3}[- ]\d{3}[- ]\d{3}(?:[- ]\d{3})?", _sin_alone),
    *(_id(pattern, check) for pattern, check in _IDS),
)
