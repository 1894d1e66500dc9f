"""National ids: what they look like. `id_checks` says which of such numbers are some."""

import re
from collections.abc import Callable

from ghostrouter.guard import id_checks as check
from ghostrouter.guard.shape import WORD_BYTES, Accept, Shape, apart

Check = Callable[[bytes], bool]

_BETWEEN = b" ./()-"
_SIN_BYTES = 11


def _alone(check: Check) -> Accept:
    """A number by which nothing stands that says what it is."""

    def accept(match: "re.Match[bytes]") -> tuple[int, int] | None:
        return match.span() if check(match[0].translate(None, _BETWEEN).upper()) else None

    return accept


def _announced(check: Check) -> Accept:
    """A number after its name."""

    def accept(match: "re.Match[bytes]") -> tuple[int, int] | None:
        begin, end = match.span(1)
        text = match.string
        if end < len(text) and text[end] in WORD_BYTES:
            return None
        return (begin, end) if check(text[begin:end].translate(None, _BETWEEN).upper()) else None

    return accept


_SIN = _alone(check.sin)


def _sin_alone(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Not in a row of more groups of three digits: those are columns of numbers."""
    if len(match[0]) > _SIN_BYTES:
        return match.end(), match.end()
    return _SIN(match) if apart(match.string, *match.span()) else None


def _said(names: str, number: str) -> str:
    return rf"(?i:{names})(?i:[ .:#=\x22\x27-]|\xef\xbc\x9a|is|ist|es|est|number|nummer|nr|no|id){{1,10}}({number})"


def _id(pattern: str, check: Check) -> Shape:
    said = re.compile(pattern).groups > 0
    return Shape("NATIONAL_ID", pattern, _announced(check) if said else _alone(check), apart=not said)


_IDS: tuple[tuple[str, Check], ...] = (
    (r"\b\d{3}-\d{2}-\d{4}", check.ssn),
    (_said(r"ssn|social security", r"\d{3} ?\d{2} ?\d{4}"), check.ssn),
    (r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", check.nino),
    (r"\b\d{3} \d{3} \d{4}", check.nhs),
    (_said(r"nhs", r"\d{10}|\d{3}-\d{3}-\d{4}"), check.nhs),
    (r"\b(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]", check.dni),
    (r"\b[12] ?\d{2} ?\d{2} ?(?:\d{2}|2A|2B) ?\d{3} ?\d{3} ?\d{2}", check.nir),
    (r"\b[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", check.codice),
    (_said(r"bsn|burgerservicenummer|sofinummer", r"\d{4}\.?\d{2}\.?\d{3}"), check.bsn),
    (r"\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", check.belgian),
    (r"\b\d{3}\.\d{3}\.\d{3}-\d{2}", check.cpf),
    (_said(r"cpf", r"\d{11}"), check.cpf),
    (r"\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", check.cnpj),
    (r"\b\d{11}", check.norwegian_or_turkish),
    (_said(r"pesel", r"\d{11}"), check.pesel),
    (_said(r"tckn|t\.?c\.? kimlik(?: no)?", r"\d{11}"), check.turkish),
    (r"\b(?:19|20)?\d{6}[-+]\d{4}", check.swedish),
    (_said(r"cpr(?:-nummer)?", r"\d{6}-?\d{4}"), check.danish),
    (_said(r"personnummer", r"(?:19|20)?\d{6}[-+]?\d{4}"), check.swedish),
    (_said(r"f\xc3\xb8dselsnummer", r"\d{6} ?\d{5}"), check.norwegian),
    (r"\b\d{6} \d{5}", check.norwegian),
    (r"\b\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]", check.finnish),
    (r"\b[1-9]\d{5}(?:19|20)\d{9}[0-9X]", check.chinese),
    (r"\b\d{6}-[1-8]\d{6}", check.korean),
    (_said(r"my ?number|\xe3\x83\x9e\xe3\x82\xa4\xe3\x83\x8a\xe3\x83\xb3\xe3\x83\x90\xe3\x83\xbc", r"\d{4}[ -]?\d{4}[ -]?\d{4}"), check.my_number),
    (r"\b[2-9]\d{3} \d{4} \d{4}", check.aadhaar),
    (_said(r"aadhaar|aadhar", r"\d{4}[ -]?\d{4}[ -]?\d{4}"), check.aadhaar),
    (r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", check.pan),
    (_said(r"sin|social insurance", r"\d{9}"), check.sin),
    (_said(r"tfn|tax file", r"\d{3} ?\d{3} ?\d{3}"), check.tfn),
    (_said(r"steuer-?id(?:entifikationsnummer)?|idnr\.?|steueridentifikationsnummer", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"), check.steuer),
    (r"\b[1-9]\d \d{3} \d{3} \d{3}", check.steuer),
    (r"\b\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]", check.rut),
    (r"\b(?:20|2[3-7]|30|33|34)-\d{8}-\d", check.cuit),
    (r"\b756\.\d{4}\.\d{4}\.\d{2}", check.ahv),
    (_said(r"svnr|sozialversicherungsnummer|sv-nr", r"\d{4} ?\d{6}"), check.svnr),
    (_said(r"nif|contribuinte", r"\d{3} ?\d{3} ?\d{3}"), check.nif),
    (_said(r"cnp", r"\d{13}"), check.cnp),
    (r"\b[1-8]\d{12}", check.cnp_bare),
    (_said(r"pps(?:n)?", r"\d{7}[A-W][A-I]?"), check.pps),
    (r"\b\d{7}[A-W][A-IW]?", check.pps),
    (r"\b\d{6}/\d{4}", check.czech),
    (_said(r"id(?: number)?", r"\d{13}"), check.african),
    (r"\b[STFGM]\d{7}[A-Z]", check.nric),
    (r"\b[A-Z]\d{6}\([0-9A]\)", check.hkid),
    (r"\b[A-Z][1289]\d{8}", check.taiwanese),
    (_said(r"teudat zehut|israeli id", r"\d{8,9}"), check.israeli),
    (r"\b[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z0-9]\d", check.curp),
)  # fmt: skip

SHAPES = (
    Shape("NATIONAL_ID", r"\b\d{3}[- ]\d{3}[- ]\d{3}(?:[- ]\d{3})?", _sin_alone),
    *(_id(pattern, check) for pattern, check in _IDS),
)
