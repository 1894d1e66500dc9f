"""Card numbers, IBANs and national ID numbers. python-stdnum knows which of them are valid.

A number that stands alone has to be valid, where its kind has a check digit. Behind a name that means nothing else (`PESEL`), its form is enough.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

from stdnum import iban, luhn
from stdnum.iso7064 import mod_97_10

from ghostrouter.redact.shape import WORD_BYTES, Accept, Shape, any_word, stands_alone, whole

Valid = Callable[[str], bool]

# --- cards (ISO/IEC 7812): first digits of the networks, and how many digits there are in all
_NETWORKS = (
    ("4", (13, 16, 19)), ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-5]|8600|9860|9792", (16,)), ("3[47]", (15,)),
    ("6011|64[4-9]|65|62|81", (16, 17, 18, 19)), ("3(?:0[0-5]|[689])", (14, 16)), ("35(?:2[89]|[3-8])", (16, 17, 18, 19)),
    ("5[06-8]|6(?:3|7)|60", (13, 14, 15, 16, 17, 18, 19)),
)  # fmt: skip
_SHORTEST_CARD = 13
_TABLE = re.compile(rb"(?:\d{4} ){6,}")  # more groups of four digits than a card has
_GROUP, _GROUPS_LEFT = 5, 5  # bytes of a group with its space; groups at the end of a table that may be a card


@cache  # at most ten thousand
def _card_lengths(first: bytes) -> frozenset[int]:
    """How many digits cards have that start with these four."""
    return frozenset(n for start, lengths in _NETWORKS if re.match(start.encode(), first) for n in lengths)


def _card(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a card's number, or its first groups: a code may follow. In a table of numbers no group starts a card."""
    text, (begin, end) = match.string, match.span()
    table = _TABLE.match(text, begin, end)
    if table:
        on = max(begin + 1, table.end() - _GROUPS_LEFT * _GROUP)
        return on, on
    number = match[0].translate(None, b" -")
    grouped = len(number) < end - begin
    lengths = _card_lengths(number[:4])
    while len(number) >= _SHORTEST_CARD:
        if len(number) in lengths and stands_alone(text, begin, end) and len(set(number)) > 1 and _luhn(number):
            return begin, end
        if not grouped:
            return None
        end = max(begin, text.rfind(b" ", begin, end), text.rfind(b"-", begin, end))
        number = text[begin:end].translate(None, b" -")
    return None


_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def _luhn(number: bytes) -> bool:
    """ISO/IEC 7812-1, annex B. In bytes: ten times as fast as `stdnum.luhn`, of which a text may ask 10,000 times."""
    return (sum(number[-1::-2]) + sum(number[-2::-2].translate(_DOUBLED)) - 48 * len(number)) % 10 == 0


_CARD = (
    r"\b(?:[2-689]\d{3}(?: \d{4}){3,12}(?: ?\d{1,3}\b)?|[2-689]\d{3}(?:-?\d{4}){2}-?\d{1,4}(?:-?\d{1,3}\b)?"
    r"|[2-689]\d{3}(?: \d{4}){2} \d{1,3}|3\d{3}[ -]?\d{6}[ -]?\d{4,5}|\d{13,19})"
)

# --- bank accounts (ISO 13616)
_BANK = r"(?:\d[A-Za-z0-9]{3}|[A-Za-z]{3}[A-Za-z0-9]|[A-Za-z]\d{3})"  # how an account starts, in most countries
_IBAN = (
    rf"\b(?:[A-Za-z]{{2}}\d{{2}}[ -]?{_BANK}|(?i:BY|DO|FK|GE|GT|MD)\d{{2}}[ -]?[A-Za-z0-9]{{4}})"
    r"(?:[ -]?[A-Za-z0-9]{1,4}){2,7}"
)
_PART = re.compile(r"(\d+)!([nac])")
_LETTERS = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}


@cache  # at most 676
def _account(country: bytes) -> tuple[int, "re.Pattern[str]"] | None:
    """Characters of an IBAN of a country, and what they look like."""
    known = iban._ibandb.info(country.decode())[0][1].get("bban", "") if country.isalpha() else ""
    sizes = [(int(size), letters) for size, letters in _PART.findall(known)]
    if not sizes:
        return None
    form = "".join(f"{_LETTERS[letters]}{{{size}}}" for size, letters in sizes)
    return 4 + sum(size for size, _ in sizes), re.compile(rf"[A-Z]{{2}}\d{{2}}{form}")


def _iban(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept as many characters as an IBAN of the country has, wherever the match ends."""
    text, begin = match.string, match.start()
    account = _account(match[0][:2].upper())
    if account is None:
        return None
    size, form = account
    number = match[0].translate(None, b" -")[:size].decode().upper()
    if not form.fullmatch(number) or not mod_97_10.is_valid(number[4:] + number[:4]):
        return None
    end = begin + size
    while len(text[begin:end].translate(None, b" -")) < size:
        end += 1
    return None if end < len(text) and text[end] in WORD_BYTES else (begin, end)


# --- numbers of persons
_MONTH, _DAY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"

# What they look like where nothing names them, and the module of stdnum that knows which are valid ("": all).
ALONE: tuple[tuple[str, str], ...] = (
    (r"(?:00[1-9]|0[1-9]\d|[1-578]\d\d|6[0-57-9]\d|66[0-57-9])-(?:0[1-9]|[1-9]\d)-\d{4}", ""),  # US SSN
    (r"9\d{2}-(?:[5-8]\d|9[0-24-9])-\d{4}", ""),  # US ITIN
    (r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", ""),  # UK, national insurance
    (r"\d{3} \d{3} \d{4}", "gb.nhs"),
    (r"\d{8}-?[A-HJ-NP-TV-Z]", "es.dni"),
    (r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", "es.nie"),
    (r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2A|2B) ?\d{3} ?\d{3} ?\d{2}", "fr.nir"),
    (r"[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", "it.codicefiscale"),
    (rf"\d{{2}}\.{_MONTH}\.{_DAY}-\d{{3}}\.\d{{2}}", "be.nn"),
    (r"\d{3}\.\d{3}\.\d{3}-\d{2}", "br.cpf"),
    (r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", "br.cnpj"),
    (r"[1-9]\d{9}[02468]", "tr.tckimlik"),
    (r"(?:[04][1-9]|[1256]\d|[37][01])(?:[048][1-9]|[159][0-2])\d{2} ?\d{5}", "no.fodselsnummer"),
    (rf"(?:19|20)?\d{{2}}{_MONTH}(?:[06][1-9]|[1278]\d|[39][01])[-+]\d{{4}}", "se.personnummer"),
    (rf"{_DAY}{_MONTH}\d{{2}}[-+A-FU-Y]\d{{3}}[0-9A-FHJ-NPR-Y]", "fi.hetu"),
    (rf"[1-9]\d{{5}}(?:19|20)\d{{2}}{_MONTH}{_DAY}\d{{3}}[0-9X]", "iso7064.mod_11_2"),  # China
    (rf"\d{{2}}{_MONTH}{_DAY}-[1-8]\d{{6}}", ""),  # South Korea
    (r"[2-9]\d{3} \d{4} \d{4}", "in_.aadhaar"),
    (r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", ""),  # India, taxes
    (r"[1-9]\d \d{3} \d{3} \d{3}", "de.idnr"),
    (r"\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]", "cl.rut"),
    (r"(?:20|2[3-7]|30|33|34)-\d{8}-\d", "ar.cuit"),
    (r"756\.\d{4}\.\d{4}\.\d{2}", "ch.ssn"),
    (rf"[1-8]\d{{2}}{_MONTH}{_DAY}\d{{6}}", "ro.cnp"),
    (r"\d{7}[A-W][A-IW]?", "ie.pps"),
    (rf"\d{{2}}(?:[05][1-9]|[16][0-2]|[27][1-9]|[38][0-2]){_DAY}/\d{{4}}", "cz.rc"),
    (r"[STFGM]\d{7}[A-Z]", ""),  # Singapore
    (r"[A-Z]\d{6}\([0-9A]\)", ""),  # Hong Kong
    (rf"[A-Z][AEIOUX][A-Z]{{2}}\d{{2}}{_MONTH}{_DAY}[HM][A-Z]{{2}}[B-DF-HJ-NP-TV-Z]{{3}}[A-Z0-9]\d", ""),  # Mexico
    (rf"\d{{2}} [0-8]\d{_MONTH}\d{{2}} [A-Z] \d{{3}}", ""),  # Germany, pensions
    (r"\d{3}-\d{3}-\d{3} \d{2}", ""),  # Russia, pensions
    (rf"\d{{2}}{_MONTH}{_DAY}-\d{{2}}-\d{{4}}", ""),  # Malaysia
    (r"[1-8]-\d{4}-\d{5}-\d{2}-\d", ""),  # Thailand
    (r"[1-7]\d{4}-\d{7}-\d", ""),  # Pakistan
    (r"784-\d{4}-\d{7}-\d", ""),  # Emirates
)  # fmt: skip

# Their names, and what they look like behind them.
NAMED: tuple[tuple[str, str], ...] = (
    ("ssn|social security|social security number|social security no", r"\d{3}[ -]?\d{2}[ -]?\d{4}"),
    ("itin", r"9\d{2}[ -]?\d{2}[ -]?\d{4}"),
    ("ein|employer identification number", r"\d{2}-\d{7}"),
    ("mbi|medicare beneficiary identifier", r"[1-9][A-Z][A-Z0-9]\d-?[A-Z][A-Z0-9]\d-?[A-Z]{2}\d{2}"),
    ("nhs|nhs number", r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
    ("ni number|national insurance|national insurance number|nino", r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
    ("utr|unique taxpayer reference", r"\d{5} ?\d{5}"),
    ("social insurance|social insurance number|taj|taj szám|tajszám", r"\d{3}[ -]?\d{3}[ -]?\d{3}"),
    ("tfn|tax file|tax file number", r"\d{3} ?\d{3} ?\d{2,3}"),
    ("medicare", r"[2-6]\d{3} ?\d{5} ?\d(?:[ /-]?\d)?"),
    ("bsn|burgerservicenummer|sofinummer", r"\d{4}\.?\d{2}\.?\d{3}"),
    ("pesel|tckn|tc kimlik|t.c. kimlik|kimlik no|kimlik numarası|niss|oib|amka|αμκα|α.μ.κ.α.|nin|bvn", r"\d{11}"),
    ("nip", r"\d{3}-?\d{3}-?\d{2}-?\d{2}|\d{3}-?\d{2}-?\d{2}-?\d{3}"),
    ("cpr|cpr-nummer|cpr-nr", rf"{_DAY}{_MONTH}\d{{2}}[ -]?\d{{4}}"),
    ("personnummer|samordningsnummer", r"(?:19|20)?\d{6}[-+]?\d{4}"),
    ("fødselsnummer|fodselsnummer|personnummer|d-nummer", r"\d{6} ?\d{5}"),
    ("henkilötunnus|hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]"),
    ("kennitala", r"\d{6}-?\d{4}"),
    ("aadhaar|aadhar|आधार|マイナンバー|個人番号", r"\d{4}[ -]?\d{4}[ -]?\d{4}"),
    ("pan card|pan number", r"[A-Z]{5}\d{4}[A-Z]"),
    ("steuer-id|steuerid|steueridentifikationsnummer|steuer-identifikationsnummer|identifikationsnummer", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
    ("steuernummer|steuer-nr", r"\d{2,3}/\d{3}/\d{4,5}|\d{10,13}"),
    ("rvnr|sozialversicherungsnummer|rentenversicherungsnummer|sv-nummer|sv-nr|svnr", r"\d{2} ?\d{6} ?[A-Z] ?\d{3}"),
    ("sozialversicherungsnummer|svnr|sv-nr|sv-nummer", r"\d{4}[ -]?\d{6}"),
    ("ahv|avs|oasi", r"756\.?\d{4}\.?\d{4}\.?\d{2}"),
    ("insz|niss|rijksregisternummer|numéro national|registre national", r"\d{2}[ .]?\d{2}[ .]?\d{2}[ -]?\d{3}[ .]?\d{2}"),
    ("nir|sécurité sociale|numéro de sécu", r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2A|2B) ?\d{3} ?\d{3}(?: ?\d{2})?"),
    ("codice fiscale|cod. fisc.|cf", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]"),
    ("dni|nie|nif", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]"),
    ("contribuinte|número de contribuinte", r"\d{3} ?\d{3} ?\d{3}"),
    ("cartão de cidadão|cartao de cidadao", r"\d{8} ?\d ?[A-Z0-9]{2}\d"),
    ("cnp|jmbg|emšo|emso|jmb|јмбг|ембг|матични број|matični broj|idnp", r"\d{13}"),
    ("ppsn|pps number", r"\d{7}[A-W][A-IW]?"),
    ("егн|egn|единен граждански номер|рнокпп|rnokpp|іпн|ідентифікаційний код|کد ملی|كد ملي", r"\d{10}"),
    ("isikukood|asmens kodas", r"[1-6]\d{10}"),
    ("personas kods", r"\d{6}-?\d{5}"),
    ("p.k.|p. k.", r"\d{6}-\d{5}"),
    ("adóazonosító|adóazonosító jel", r"8\d{9}"),
    ("afm|αφμ|α.φ.μ.", r"\d{9}"),
    ("rodné číslo|rod. č.|r.č.|r. č.", r"\d{6}/?\d{3,4}"),
    ("снилс|snils", r"\d{3}[ -]?\d{3}[ -]?\d{3}[ -]?\d{2}"),
    ("инн|иин|жсн|iin", r"\d{12}"),
    ("mykad|nric|kad pengenalan|no. kp|no kp", r"\d{6}-?\d{2}-?\d{4}"),
    ("nric|fin", r"[STFGM]\d{7}[A-Z]"),
    ("บัตรประชาชน|เลขประจำตัวประชาชน|เลขบัตร|thai id", r"\d[ -]?\d{4}[ -]?\d{5}[ -]?\d{2}[ -]?\d"),
    ("nik|ktp", r"[1-9]\d{15}"),
    ("cccd|căn cước|căn cước công dân|cmnd", r"0\d{11}|\d{9}"),
    ("cnic", r"\d{5}-?\d{7}-?\d"),
    ("philsys|phil id|sss", r"\d{2}-\d{7}-\d|\d{4}-\d{4}-\d{4}-\d{4}"),
    ("emirates id", r"784-?\d{4}-?\d{7}-?\d"),
    ("iqama|رقم الهوية|الهوية الوطنية", r"[12]\d{9}"),
    ("الرقم القومي", r"[23]\d{13}"),
    ("ghana card", r"GHA-\d{9}-\d"),
    ("תעודת זהות|ת.ז.|ת.ז|ת״ז|מספר זהות|teudat zehut|israeli id", r"\d{8,9}"),
    ("주민등록번호|주민번호|외국인등록번호", r"\d{6}-?[1-8]\d{6}"),
    ("身份证|身份证号|身份证号码|身份證|公民身份号码", r"\d{17}[0-9Xx]"),
    ("身分證|身分證字號", r"[A-Z][1289]\d{8}"),
    ("身份證號碼|hkid", r"[A-Z]{1,2}\d{6}\(?[0-9A]\)?"),
    ("cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"),
    ("cnpj", r"\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}"),
    ("rg", r"\d{1,2}\.\d{3}\.\d{3}-[0-9X]"),
    ("pis|pasep", r"\d{3}\.?\d{5}\.?\d{2}-?\d"),
    ("curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d"),
    ("rfc", r"[A-Z]{4}\d{6}[A-Z0-9]{3}"),
    ("nss|imss|número de seguridad social", r"\d{2}[ /-]?\d{8,9}(?:[ /-]?\d{1,2})?"),
    ("rut|run", r"\d{1,2}\.\d{3}\.\d{3}-[0-9Kk]"),
    ("cuil|cuit", r"\d{2}[ -]?\d{8}[ -]?\d"),
    ("cédula|cedula|cédula de ciudadanía|cédula de identidad|cedula de ciudadania|cedula de identidad|c.c.", r"(?:V-?|E-?)?\d{1,3}(?:\.\d{3}){2,3}(?:-\d)?|(?:V-?|E-?)?\d{6,11}(?:-\d)?"),
    ("dni|documento", r"\d{1,2}\.\d{3}\.\d{3}|\d{8}"),
    ("voter id|epic no", r"[A-Z]{3}\d{7}"),
    ("passport|passeport|reisepass|reisepassnummer|pasaporte|passaporto|passaporte|paspoort|paszport|паспорт|загранпаспорт|护照|護照|パスポート|여권", r"[A-Z]{0,3}\d[A-Z0-9]{5,8}|\d{2} \d{2} \d{6}|\d{4} \d{6}"),
    ("driver's license|drivers license|driver license|driving licence|driving license|führerschein|permis de conduire|carnet de conducir", r"[A-Z0-9]{7,16}"),
    ("personalausweis|personalausweisnummer|ausweisnummer|carte d'identité|dowód osobisty|identiteitskaart|carta d'identità", r"[A-Z0-9]{8,12}"),
)  # fmt: skip

# Names that mean other things, too: these numbers have to be valid.
NAMED_AND_VALID: tuple[tuple[str, str, str], ...] = (
    ("sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", "ca.sin"),
    ("id|id number|identity number", r"\d{13}", "za.idnr"),
    ("nif", r"\d{3} ?\d{3} ?\d{3}", "pt.nif"),
    ("tin|idnr|idnr.", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", "de.idnr"),
    ("pps", r"\d{7}[A-W][A-IW]?", "ie.pps"),
    ("my number|mynumber", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "jp.in_"),
    ("personal code|a. k.|a.k.", r"[1-6]\d{10}", "ee.ik"),
    ("kt.", r"\d{6}-?\d{4}", "is_.kennitala"),
    ("inn", r"\d{12}", "ru.inn"),
    ("ird", r"\d{2,3}[ -]?\d{3}[ -]?\d{3}", "nz.ird"),
    ("rut|run", r"\d{7,8}-?[0-9Kk]", "cl.rut"),
)

# Between a name and its number: signs, those of other scripts by their bytes (： º ° № – — 是 は), at most two words.
_SIGNS = r"[ \t.:#=\x22\x27/>_\xef\xbc\x9a\xc2\xba\xb0\xe2\x84\x96\x80\x93\x94\xe6\x98\xaf\xe3\x81-]"
_WORDS = r"(?i:is|ist|lautet|es|est|jest|je|to|er|number|nummer|numero|numer|nr|no|num|id|code|card)"
_FORM = r"(?P<number>[A-Z0-9](?:[ ./()+-]?[A-Z0-9kx]){5,21}\)?)"
_SHORT = 5  # letters of a name that other words may end with, too


def _name(names: str) -> str:
    """A pattern for names and what may stand behind them."""
    short = "|".join(n for n in names.split("|") if len(n) < _SHORT and n.isascii())
    long = "|".join(n for n in names.split("|") if len(n) >= _SHORT or not n.isascii())
    ways = [rf"(?:\b|_)(?P<short>{any_word(short)})" if short else "", rf"(?P<long>{any_word(long)})" if long else ""]
    return f"(?:{'|'.join(filter(None, ways))})"


@cache
def _forms() -> dict[str, list["re.Pattern[bytes]"]]:
    """What numbers look like, by their names."""
    forms: dict[str, list[re.Pattern[bytes]]] = {}
    for names, form in NAMED:
        for name in names.split("|"):
            forms.setdefault(name.lower(), []).append(re.compile(form.encode()))
    return forms


def _named(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept the longest number that the name may stand before."""
    name = (match["short"] or match["long"]).decode().lower()
    return _longest(match, _forms()[name])


def _one_of(form: str) -> Accept:
    pattern = re.compile(form.encode())
    return lambda match: _longest(match, [pattern])


def _longest(match: "re.Match[bytes]", forms: list["re.Pattern[bytes]"]) -> tuple[int, int] | None:
    text, begin = match.string, match.start("number")
    best = begin
    for form in forms:
        found = form.match(text, begin, match.end())
        if found and found.end() > best and (found.end() == len(text) or text[found.end()] not in WORD_BYTES):
            best = found.end()
    enough = best > begin and len(set(text[begin:best])) > 2 and any(c in b"0123456789" for c in text[begin:best])
    return (begin, best) if enough else None


def _behind(names: str, accept: Accept, valid: Valid | None = None) -> Shape:
    before = rf"{_name(names)}{_SIGNS}{{1,8}}(?:{_WORDS}{_SIGNS}{{1,8}}){{0,2}}"
    opening = rf"{_name(names)}{_SIGNS}+(?:{_WORDS}{_SIGNS}+){{0,2}}[A-Z0-9](?:[ ./()+-]?[A-Z0-9kx]){{5}}"
    return Shape("NATIONAL_ID", before + _FORM, accept, opening=opening, valid=valid)


def _valid(module: str) -> Valid | None:
    """`is_valid` of a module of stdnum."""
    if not module:
        return None
    check: Valid = import_module(f"stdnum.{module}").is_valid
    return _with_hyphen(check) if module == "fi.hetu" else check


def _with_hyphen(check: Valid) -> Valid:
    """In Finland the hyphen, or a letter instead of it, tells the century."""
    return lambda number: check(number if len(number) > _FINNISH else f"{number[:6]}-{number[6:]}")


_SIN_BYTES, _FINNISH = 11, 10


def _sin(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept three groups of three digits, unless they stand in a row of more: columns of numbers."""
    if len(match[0]) > _SIN_BYTES:
        return match.end(), match.end()
    return match.span() if stands_alone(match.string, *match.span()) and match[0][:1] not in b"08" else None


SHAPES = (
    Shape("IBAN", _IBAN, _iban),
    Shape("CARD", _CARD, _card),
    Shape("NATIONAL_ID", r"\b\d{3}[- ]\d{3}[- ]\d{3}(?:[- ]\d{3})?", _sin, valid=luhn.is_valid),
    *(Shape("NATIONAL_ID", rf"\b{form}", whole, alone=True, valid=_valid(module)) for form, module in ALONE),
    _behind("|".join(names for names, _ in NAMED), _named),
    *(_behind(names, _one_of(form), _valid(module)) for names, form, module in NAMED_AND_VALID),
)
