"""National ids after their names."""

import re
from functools import cache

from ghostrouter.redact import id_checks as check
from ghostrouter.redact import id_checks_east as more
from ghostrouter.redact.ids import BETWEEN, Check
from ghostrouter.redact.shape import WORD_BYTES, Shape, names

# Names, what such numbers look like, and what makes them some.
_RULES: tuple[tuple[str, str, Check], ...] = (
    ("ssn|social security|social security number", r"\d{3}[ -]?\d{2}[ -]?\d{4}", check.ssn),
    ("nhs", r"\d{10}|\d{3}[ -]\d{3}[ -]\d{4}", check.nhs),
    ("bsn|burgerservicenummer|sofinummer", r"\d{4}\.?\d{2}\.?\d{3}", check.bsn),
    ("pesel", r"\d{11}", check.pesel),
    ("tckn|tc kimlik|t.c. kimlik|kimlik no", r"\d{11}", check.turkish),
    ("cpr|cpr-nummer", r"\d{6}[ -]?\d{4}", check.danish),
    ("personnummer", r"(?:19|20)?\d{6}[-+]?\d{4}", check.swedish),
    ("fødselsnummer|fodselsnummer|personnummer", r"\d{6} ?\d{5}", check.norwegian),
    ("my number|mynumber|マイナンバー", r"\d{4}[ -]?\d{4}[ -]?\d{4}", check.my_number),
    ("aadhaar|aadhar|आधार", r"\d{4}[ -]?\d{4}[ -]?\d{4}", check.aadhaar),
    ("sin|social insurance|social insurance number", r"\d{3}[ -]?\d{3}[ -]?\d{3}", check.sin),
    ("tfn|tax file|tax file number", r"\d{3} ?\d{3} ?\d{3}", check.tfn),
    ("steuer-id|steuerid|steueridentifikationsnummer|steuer-identifikationsnummer|idnr|idnr.|tin", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", check.steuer),
    ("svnr|sozialversicherungsnummer|sv-nr|sv-nummer", r"\d{4}[ -]?\d{6}", check.svnr),
    ("nif|contribuinte", r"\d{3} ?\d{3} ?\d{3}", check.nif),
    ("cnp", r"\d{13}", check.cnp),
    ("pps|ppsn", r"\d{7}[A-W][A-IW]?", check.pps),
    ("id|id number|identity number", r"\d{13}", check.african),
    ("teudat zehut|israeli id", r"\d{8,9}", check.israeli),
    ("rvnr|sozialversicherungsnummer|rentenversicherungsnummer", r"\d{2} ?\d{6} ?[A-Z] ?\d{3}", more.rvnr),
    ("ni number|national insurance|national insurance number|nino", r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]", check.nino),
    ("nric|fin", r"[STFGM]\d{7}[A-Z]", check.nric),
    ("codice fiscale|cod. fisc.|cf", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]", check.codice),
    ("dni|nie|nif", r"(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]", check.dni),
    ("itin", r"9\d{2}[ -]?\d{2}[ -]?\d{4}", more.itin),
    ("егн|egn|единен граждански номер", r"\d{10}", more.bulgarian),
    ("oib", r"\d{11}", more.croatian),
    ("jmbg|emšo|emso|jmb|јмбг|ембг|матични број|matični broj", r"\d{13}", more.yugoslav),
    ("isikukood|asmens kodas|personal code|a. k.|a.k.", r"[1-6]\d{10}", more.baltic),
    ("personas kods|p.k.|p. k.", r"\d{6}-?\d{5}", more.latvian),
    ("taj|taj szám|tajszám", r"\d{3}[ -]?\d{3}[ -]?\d{3}", more.hungarian),
    ("amka|αμκα|α.μ.κ.α.", r"\d{11}", more.greek),
    ("afm|αφμ|α.φ.μ.", r"\d{9}", more.greek_tax),
    ("kennitala|kt.", r"\d{6}-?\d{4}", more.icelandic),
    ("снилс|snils", r"\d{3}[ -]?\d{3}[ -]?\d{3}[ -]?\d{2}", more.snils),
    ("инн|inn", r"\d{12}", more.inn),
    ("рнокпп|rnokpp|іпн|ідентифікаційний код", r"\d{10}", more.ukrainian),
    ("mykad|nric|kad pengenalan|no. kp|no kp", r"\d{6}-?\d{2}-?\d{4}", more.malaysian),
    ("บัตรประชาชน|เลขประจำตัวประชาชน|เลขบัตร|thai id", r"\d[ -]?\d{4}[ -]?\d{5}[ -]?\d{2}[ -]?\d", more.thai),
    ("nik|ktp", r"\d{16}", more.indonesian),
    ("cccd|căn cước|căn cước công dân|cmnd", r"\d{12}", more.vietnamese),
    ("cnic", r"\d{13}", more.pakistani),
    ("ird", r"\d{2,3}[ -]?\d{3}[ -]?\d{3}", more.newzealander),
    ("medicare", r"\d{4} ?\d{5} ?\d(?:[ /-]?\d)?", more.medicare),
    ("תעודת זהות|ת.ז.|ת.ז|ת״ז|מספר זהות", r"\d{8,9}", check.israeli),
    ("주민등록번호|주민번호", r"\d{6}-?[1-8]\d{6}", check.korean),
    ("身份证|身份证号|身份证号码|身份證|公民身份号码", r"\d{17}[0-9Xx]", check.chinese),
    ("cpf", r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}", check.cpf),
    ("rut|run", r"\d{7,8}-?[0-9Kk]", check.rut),
    ("cuil|cuit", r"\d{2}[ -]?\d{8}[ -]?\d", check.cuit),
    ("cédula|cedula|cédula de ciudadanía|cédula de identidad|cedula de ciudadania|c.c.", r"\d{1,3}(?:\.\d{3}){2,3}|\d{6,11}", more.numbered),
    ("dni|documento", r"\d{1,2}\.\d{3}\.\d{3}|\d{8}", more.numbered),
    ("nss|imss|número de seguridad social", r"\d{2}[ /-]?\d{8,9}(?:[ /-]?\d{1,2})?", more.numbered),
    ("rfc", r"[A-Z]{4}\d{6}[A-Z0-9]{3}", more.document),
    ("ahv|avs|oasi", r"756\.?\d{4}\.?\d{4}\.?\d{2}", check.ahv),
    ("insz|niss|rijksregisternummer|numéro national|registre national", r"\d{2}[ .]?\d{2}[ .]?\d{2}[ -]?\d{3}[ .]?\d{2}", check.belgian),
    ("nir|sécurité sociale", r"[12]\d{14}", check.nir),
    ("rodné číslo|rod. č.|r.č.|r. č.", r"\d{6}/?\d{4}", check.czech),
    ("henkilötunnus|hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", check.finnish),
    ("身分證|身分證字號", r"[A-Z][1289]\d{8}", check.taiwanese),
    ("身份證號碼|hkid", r"[A-Z]\d{6}\(?[0-9A]\)?", check.hkid),
    ("voter id|epic no", r"[A-Z]{3}\d{7}", more.document),
    ("passport|passeport|reisepass|reisepassnummer|pasaporte|passaporto|passaporte|paspoort|загранпаспорт|护照|護照|パスポート|여권", r"[A-Z]{0,3}\d[A-Z0-9]{5,8}", more.document),
    ("driver's license|drivers license|driver license|driving licence|driving license|führerschein|permis de conduire|carnet de conducir", r"[A-Z0-9]{7,16}", more.document),
    ("personalausweis|personalausweisnummer|ausweisnummer|carte d'identité|dowód osobisty|identiteitskaart", r"[A-Z0-9]{8,12}", more.document),
)  # fmt: skip


@cache
def _rules() -> dict[str, list[tuple["re.Pattern[bytes]", Check]]]:
    """By name."""
    rules: dict[str, list[tuple[re.Pattern[bytes], Check]]] = {}
    for said, number, valid in _RULES:
        for name in said.split("|"):
            rules.setdefault(name.lower(), []).append((re.compile(number.encode()), valid))
    return rules


def _announced(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """The longest number that the name may announce."""
    text, begin = match.string, match.start("number")
    best = begin
    for number, valid in _rules()[(match["short"] or match["long"]).decode().lower()]:
        found = number.match(text, begin, match.end())
        if found is None or (found.end() < len(text) and text[found.end()] in WORD_BYTES):
            continue
        if valid(found[0].translate(None, BETWEEN).upper()):
            best = max(best, found.end())
    return (begin, best) if best > begin else None


_NAMES = sorted({name for said, _, _ in _RULES for name in said.split("|")})
_SHORT = "|".join(name for name in _NAMES if len(name) < 5 and name.isascii())  # which other words may end with
_LONG = "|".join(name for name in _NAMES if len(name) >= 5 or not name.isascii())
_NAME = rf"(?:(?:\b|_)(?P<short>{names(_SHORT)})|(?P<long>{names(_LONG)}))"
# Signs, those of other scripts by their bytes (： º ° № – — 是 は), and at most two words.
_SIGNS = r"[ \t.:#=\x22\x27/>_\xef\xbc\x9a\xc2\xba\xb0\xe2\x84\x96\x80\x93\x94\xe6\x98\xaf\xe3\x81-]"
_WORDS = r"(?i:is|ist|lautet|es|est|jest|je|to|er|number|nummer|numero|numer|nr|no|num|id|code|card)"
_SAID = rf"{_NAME}{_SIGNS}{{1,8}}(?:{_WORDS}{_SIGNS}{{1,8}}){{0,2}}"
_START = rf"{_NAME}{_SIGNS}+(?:{_WORDS}{_SIGNS}+){{0,2}}[A-Z0-9](?:[ ./()+-]?[A-Z0-9kx]){{5}}"

SHAPES = (
    Shape(
        "NATIONAL_ID",
        rf"{_SAID}(?P<number>[A-Z0-9](?:[ ./()+-]?[A-Z0-9kx]){{5,21}}\)?)",
        _announced,
        start=_START,
    ),
)
