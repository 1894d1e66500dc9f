"""Where somebody can be reached: e-mail, telephone, network and postal addresses."""

import re
import socket
import string
from functools import cache

from ghostrouter.redact.shape import CJK, WIDE, WIDE_BYTES, WORD_BYTES, Shape, all_of, digits, free, in_word, trimmed

_DOUBLE = re.compile(rb"@\d(?:\.\d)?x\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)
_AT = rf"@(?:[A-Za-z0-9{WIDE_BYTES}-]{{1,126}}\.){{1,6}}[A-Za-z{WIDE_BYTES}]{{2,48}}+(?:--?[a-z0-9]{{1,20}})?"
_LOCAL_BYTES = (string.ascii_letters + string.digits + "._%+'-").encode() + bytes(
    (*range(0xC3, 0xD5), *range(0x80, 0xC0))
)
_DIGITS = string.digits.encode()
_GOES_ON = WORD_BYTES | frozenset(b"([")
_ZERO, _NINE, _COLON = b"09:"
_LOCAL = 64  # bytes before the @ (RFC 5321, 4.5.3.1.1)


def _email(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """From the @ back to where the local part begins."""
    text, (at, end) = match.string, match.span()
    after = text[end] if end < len(text) else 0
    if after in _GOES_ON or (text[at + 1] <= _NINE and _DOUBLE.search(match[0])):
        return None
    before = text[at - _LOCAL if at > _LOCAL else 0 : at]
    local = len(before) - len(before.rstrip(_LOCAL_BYTES))
    if not local:
        return None
    begin = at - local
    if after == _COLON and text[begin:at] == b"git":
        return None
    while begin < at and (text[begin] < _ZERO or 0x80 <= text[begin] < 0xC0):  # signs, and what is left of a letter
        begin += 1
    return (begin, end) if begin < at else None


# ITU-T E.164: digits of a number with its country code, at least and at most. Others: 8 to 15.
_NUMBERING = {
    "1": (11, 11), "7": (11, 11), "20": (11, 12), "27": (11, 11), "30": (12, 12), "31": (11, 11), "32": (10, 11),
    "33": (11, 11), "34": (11, 11), "36": (10, 11), "39": (8, 13), "40": (11, 11), "41": (11, 11), "43": (8, 15),
    "44": (11, 12), "45": (10, 10), "46": (9, 12), "47": (10, 10), "48": (11, 11), "49": (8, 14), "52": (12, 13),
    "54": (12, 13), "55": (12, 13), "56": (11, 11), "57": (12, 12), "60": (10, 12), "61": (11, 11), "62": (10, 14),
    "63": (12, 12), "64": (10, 12), "65": (10, 10), "66": (10, 11), "81": (11, 12), "82": (10, 12), "84": (11, 12),
    "86": (12, 13), "90": (12, 12), "91": (12, 12), "92": (11, 12), "351": (12, 12), "352": (8, 12), "353": (10, 12),
    "358": (9, 14), "380": (12, 12), "420": (12, 12), "421": (12, 12), "852": (11, 11), "886": (11, 12), "971": (11, 12),
    "972": (11, 12),
}  # fmt: skip


@cache  # at most a thousand
def _numbering(number: bytes) -> tuple[int, int]:
    start = number.decode()
    return next((_NUMBERING[start[:n]] for n in (1, 2, 3) if start[:n] in _NUMBERING), (9, 15))


def _international(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """As many groups as the country's numbers have; a zero in brackets after the country code does not count."""
    text, (begin, end) = match.string, match.span()
    if begin and text[begin - 1] in WORD_BYTES:
        return None
    first = match.start(1)
    number = digits(match[1])
    least, most = _numbering(number[:3])
    count = len(number)
    if count < end - first:
        count -= text.count(b"(0)", first, end)
    while count >= least:
        if count <= most and (end == len(text) or text[end] not in WORD_BYTES):
            return begin, end
        end = max(text.rfind(s, begin + 2, end) for s in (b" ", b"-", b"."))
        if end < 0:
            return None
        count = len(digits(text[first:end])) - text.count(b"(0)", first, end)
    return None


_GROUPS = re.compile(rb"[ ./-]")


def _zeros(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Written in groups, and not behind a point or a comma that a digit stands before."""
    text, (begin, end) = match.string, match.span()
    if not _GROUPS.search(text, begin, end) or (begin > 1 and text[begin - 2] in _DIGITS):
        return None
    return _international(match)


_DATED = re.compile(rb"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4}")


def _spoken(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """After a word that announces a number."""
    begin, end = match.span(1)
    found = match.string[begin:end]
    count = len(digits(found))
    if not 7 <= count <= 15 or _DATED.match(found) or in_word(match.string, end):
        return None
    return begin, end


_DECIMALS = re.compile(rb"[-.]\d")


def _grouped(match: "re.Match[bytes]") -> tuple[int, int] | None:
    text, (begin, end) = match.string, match.span()
    if (begin and text[begin - 1] in b".-/+") or in_word(text, end) or _DECIMALS.match(text, end):
        return None
    return (begin, end) if 9 <= len(digits(match[0])) <= 11 else None


_VERSION = re.compile(
    rb"(?:\b(?:versions?|release|ver|rev|build|firmware|driver|oid|section|chapter|kapitel|assembly|v)|chrome)\Z",
    re.IGNORECASE,
)
_VERSION_ENDS = b"nservdlyNSERVDLY"
_COMPARED = b"<>~^="
_SUSPECT = _COMPARED + _VERSION_ENDS
_BEFORE_VALUE = b" ._:='\"\\-"
_NO_END = WORD_BYTES | frozenset(b".-")
# Before the four numbers: what they are a part of; or that they are a value, but of no name.
_BELONGS = re.compile(rb"(?:[.-]|[A-Za-z0-9]/|(?:[^A-Za-z_ ]|^)=)\Z")
_SAID = 24  # bytes before an address that may say what it is
_BYTE = rb"(?:[1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
# Four bytes of no one in particular: not this machine, every machine, nor a mask of networks.
_SOMEBODY = re.compile(rb"(?!127\.|0\.0\.0\.0|255\.)%b\.%b\.%b\.%b" % ((_BYTE,) * 4)).fullmatch


def _ipv4(match: "re.Match[bytes]") -> tuple[int, int] | None:
    text, (begin, end) = match.string, match.span()
    if end < len(text) and text[end] in _NO_END:
        after = text[end : end + 2]
        if after[:1] == b"." and after[1:].isdigit():
            return end, end
        if after[0] in WORD_BYTES or (after[:1] == b"-" and after[1:].isalpha()):
            return None
    if not _SOMEBODY(text, begin, end):
        return None
    before = text[begin - _SAID if begin > _SAID else 0 : begin]
    said = before.rstrip(_BEFORE_VALUE)
    if before and before[-1] in b".-/=" and _BELONGS.search(before):
        return None
    if not said or said[-1] not in _SUSPECT:
        return begin, end
    return None if said[-1] in _COMPARED or _VERSION.search(said) else (begin, end)


_ROUTED = re.compile(
    rb"[23][0-9a-f]{3}:|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|ff0[0-9a-f]:|::ffff:\d|64:ff9b:", re.IGNORECASE
)


def _ipv6(match: "re.Match[bytes]") -> tuple[int, int] | None:
    text, (begin, end) = match.string, match.span()
    if begin and (text[begin - 1] in WORD_BYTES or text[begin - 1] in b":."):
        return end, end
    if text[end - 1] == _COLON != text[end - 2]:
        end -= 1
    found = text[begin:end]
    if in_word(text, end) or not (found.count(b":") == 7 or _ROUTED.match(found)):
        return None
    try:
        socket.inet_pton(socket.AF_INET6, found.decode("ascii"))
    except OSError:
        return None
    return begin, end


_IPV4 = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
_CALL = (
    r"(?i:tel|phone|telephone|ph|mobile|mobil|cell|fax|call(?: me)?|telefon|telefoonnummer|t\xc3\xa9l(?:\xc3\xa9phone)?"
    r"|tel\xc3\xa9fono|telefono|telefone|tlf|m\xc3\xb3vil|celular|cellulare|handy|portable|whatsapp|sms|gsm|numer"
    r"|\xd1\x82\xd0\xb5\xd0\xbb(?:\xd0\xb5\xd1\x84\xd0\xbe\xd0\xbd)?|\xe7\x94\xb5\xe8\xaf\x9d|\xe6\x89\x8b\xe6\x9c\xba(?:\xe5\x8f\xb7)?"
    r"|\xe9\x9b\xbb\xe8\xa9\xb1(?:\xe7\x95\xaa\xe5\x8f\xb7)?|\xec\xa0\x84\xed\x99\x94)"
)
_NUMBER = r"\+?\(?\d(?:[ ()./-]{0,2}\d){6,14}"
_CAP = rf"(?:[A-Z]|{WIDE})[A-Za-z'.\xe2{WIDE_BYTES}-]{{1,40}}"
_SMALL = r"(?:de|la|le|les|du|des|del|da|do|dos|das|di|della|los|las|el|van|der|den|d'|l'|of|the|am|an|St\.)"
_WORDS = rf"(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th))"
_WIND = r"(?: (?:North|South|East|West|N|S|E|W|NE|NW|SE|SW)\b)?"
_UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|#)\.? ?#?[A-Za-z0-9-]{1,6})?"
_PLACE = rf"(?:[A-Z]|{WIDE})(?:[a-z'.-]|\xe2\x80\x99|{WIDE}){{1,20}}"
_TOWN = rf"{_PLACE}(?:[ -](?:{_SMALL}[ -])?{_PLACE}){{0,3}}"
_POSTCODE = r"[A-Z]{1,2}\d[A-Z0-9]? \d[A-Z]{2}"
_STATE = r"[A-Z]{2,3} (?:\d{5}(?:-\d{4})?|\d{4}|[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_LINE = r",?[ ]?(?:\r?\n|\\n)[ ]{0,8}"
_REGION = (
    rf"(?:{_LINE}{_TOWN},? (?:{_STATE}|{_POSTCODE})|(?:(?:,| in)? {_TOWN}(?:,? (?:{_STATE}|\d{{4,5}}|{_POSTCODE}))?))?"
)
_ENGLISH = (
    "(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Parkway|Pkwy"
    "|Highway|Hwy|Close|Crescent|Cres|Alley|Circle|Cir|Trail|Mews|Gardens|Grove|Hill|Row|Walk|Broadway|Esplanade)"
)
_BREAK = r"(?:,? |,?[ ]?(?:\r?\n|\\n)[ ]{0,8})"
_ZIP_TOWN = rf"(?:(?:{_BREAK}(?:[A-Z]{{1,2}}-)?(?:\d{{4,5}}|\d{{3}} \d{{2}}|\d{{2}}-\d{{3}}|\d{{4}} [A-Z]{{2}}|\d{{5}}-\d{{3}}|\d{{4}}-\d{{3}}) {_TOWN})|(?:,| -) {_TOWN}(?: -|/|,) ?[A-Z]{{2}}(?:,? (?:CEP:? )?\d{{5}}-?\d{{3}})?|,(?: \xd0\xb3\.)? {_TOWN}, \d{{6}})"
_HOUSE = r"\d{1,4}(?:[ -]?[a-zA-Z]\b)?(?:[-/]\d{1,4})?"
_GERMAN = rf"(?:(?:[A-Z]|{WIDE})(?:[a-z]|{WIDE})+er (?:Stra\xc3\x9fe|Strasse|Str\.|Weg|Platz|Allee|Ring|Damm|Ufer|Gasse)|(?:[A-Z]|{WIDE})(?:[a-z.-]|-[A-Z]|{WIDE})+(?:-(?:Stra\xc3\x9fe|Strasse|Str\.|Weg|Allee|Platz|Ring|Damm|Ufer)|stra(?:\xc3\x9f|ss)e|str\.|weg|allee|platz|gasse|ring|damm|ufer|chaussee|steig|stieg|pfad|graben|br\xc3\xbccke|promenade|singel|steeg|v\xc3\xa4g|torg|plads|str\xc3\xa6de|vegen|bakken|straat|laan|plein|gracht|kade|dijk|gatan|v\xc3\xa4gen|gata|gaten|veien|vej|gade|katu|tie))"
# Names of streets, and words that mean other things, too.
_STREET = (
    r"[Rr]ue|Calle|C/|Avenida|Av\.|Avda\.|Carrer|Viale|Piazza|Rua|Pra\xc3\xa7a|ul\.|ulica|\xd1\x83\xd0\xbb\.|\xd1\x83\xd0\xbb\xd0\xb8\xd1\x86\xd0\xb0"
    r"|\xd0\xbf\xd1\x80\.|\xd0\xbf\xd1\x80\xd0\xbe\xd1\x81\xd0\xbf\xd0\xb5\xd0\xba\xd1\x82"
)
_MAYBE_STREET = (
    r"[Aa]venue|[Bb]oulevard|[Bb]d|[Aa]ll\xc3\xa9e|[Cc]hemin|[Ii]mpasse|[Qq]uai|[Pp]lace|Plaza|Paseo|Rambla|Via|Corso|Vicolo"
    r"|R\.|Alameda|Travessa|al\."
)
_ROMANCE = rf"(?:{_STREET}|{_MAYBE_STREET})"
_NAMED = rf"(?:{_SMALL}[ ]?){{0,3}}{_CAP}(?:[ -](?:{_SMALL}[ ]?){{0,2}}{_CAP}){{0,3}}"
# Within a house: storey, door, flat.
_DOOR = (
    r"(?:,? (?:\d{1,2}\.?\xc2[\xba\xaa\xb0]\.?(?: ?[A-Z]\b)?|(?:\xd0\xba\xd0\xb2|\xd0\xba\xd0\xbe\xd1\x80\xd0\xbf|\xd1\x81\xd1\x82\xd1\x80|\xd0\xbe\xd1\x84|\xd0\xba)\.? ?\d{1,4}\b"
    r"|(?i:bajo|\xc3\xa1tico|izq|izda|dcha|piso|planta|puerta|esc|interno|int|scala|lok|apto|andar|m)\.?(?: ?\d{1,4})?\b)){0,3}"
)
_INSIDE = r"(?:(?:Flat|Apartment|Apt|Unit|Suite|Room|Studio)\.? [A-Z0-9]{1,4}, ?)?"
_HOUSE_SAID = r"(?:,? (?:n\xc2\xba|n\.\xc2\xba|no\.|\xd0\xb4\.|\xd0\xb4\xd0\xbe\xd0\xbc) ?|,? )"


def _romance(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """What Via, Place or Avenue stand before may be something else: those need a town's number."""
    return trimmed(match) if match.lastindex else None


_CAPITAL = rf"(?:[A-Z]|{WIDE})"
_ROAD = rf"(?:(?:{_CAPITAL}|\d)(?:[A-Za-z0-9'.-]|\xe2\x80\x99|{WIDE})* ){{1,5}}{_ENGLISH}\b"

SHAPES = (
    Shape("EMAIL", rf"(?:[A-Za-z0-9._%+'-]|{WIDE}){{1,{_LOCAL}}}{_AT}", _email, core=_AT),
    Shape("PHONE", r"\+(\(?\d(?:\d|[ ./()-]\d|[ -]\(\d|\)[ -]\d){6,15})", _international),
    Shape("PHONE", r"\b00([1-9]\d(?:\d|[ .()/-]{1,2}\d){7,13})", _zeros),
    Shape("PHONE", r"\(0?[1-9]\d{1,3}\)[ -]?\d{3,5}[-. ]?\d{3,5}", _grouped),
    Shape("PHONE", r"\b(?:1[-.])?[2-9]\d{2}([-.])[2-9]\d{2}[-.]\d{4}", _grouped),
    Shape("PHONE", r"\b0[1-9](?:[ .-]\d{2}){4}", _grouped),
    Shape("PHONE", r"\b0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}", _grouped),
    Shape("PHONE", r"\b0\d{1,3}-\d{4}-\d{4}", _grouped),
    Shape("PHONE", r"\b07\d{3} \d{6}", _grouped),
    Shape("PHONE", rf"{_CALL}(?:[ .:#=\x22\x27)(]|\xef\xbc\x9a|(?i:number|nummer|is|ist|at|me|us|no|nr|on|es|est|num\xc3\xa9ro|n\xc3\xbamero|numer|\xd0\xbe\xd0\xbd)){{1,8}}({_NUMBER})", _spoken),
    Shape("IP_ADDRESS", rf"\b{_IPV4}", _ipv4),
    Shape("IP_ADDRESS", rf"::(?i:ffff):{_IPV4}", _ipv6),
    Shape("IP_ADDRESS", r"\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}", _ipv6),
    Shape("IP_ADDRESS", rf"\b(?i:(?:[23][0-9a-f]{{3}}|f[cd][0-9a-f]{{2}}|fe[89ab][0-9a-f]|ff0[0-9a-f])(?::[0-9a-f]{{1,4}}){{0,6}}|64:ff9b)::(?:[0-9A-Fa-f]{{1,4}}:){{0,6}}(?:{_IPV4}|[0-9A-Fa-f]{{1,4}})?", _ipv6),
    Shape("ADDRESS", rf"\b{_INSIDE}\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})? (?:(?:North|South|East|West|N|S|E|W|NE|NW|SE|SW)\.? )?(?:{_WORDS} ){{1,4}}{_ENGLISH}\b\.?{_WIND}{_UNIT}{_REGION}", trimmed, start=rf"\b{_INSIDE}\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})? {_ROAD}"),
    Shape("ADDRESS", rf"\b(?i:p\.? ?o\.? box) \d{{1,6}}{_REGION}", trimmed, start=r"\b(?i:p\.? ?o\.? box) \d"),
    Shape("ADDRESS", rf"{_GERMAN} {_HOUSE}{_ZIP_TOWN}?", trimmed, start=rf"{_GERMAN} \d"),
    Shape("ADDRESS", rf"\b{_HOUSE}(?: ?(?:bis|ter))?,? {_ROMANCE} {_NAMED}{_ZIP_TOWN}?", trimmed, start=rf"\b\d{{1,4}}(?:[ -]?[a-zA-Z])?(?:[-/]\d{{1,4}})?(?: ?(?:bis|ter))?,? {_ROMANCE} "),
    Shape("ADDRESS", rf"(?:({_STREET})|{_MAYBE_STREET}) {_NAMED}{_HOUSE_SAID}{_HOUSE}{_DOOR}({_ZIP_TOWN})?", _romance, start=rf"{_ROMANCE} (?:{_SMALL}[ ]?)*{_CAPITAL}"),
    Shape("ADDRESS", rf"\xe3\x80\x92 ?\d{{3}}-\d{{4}} ?(?:(?:{CJK}){{2,30}}[0-9-]{{0,12}})?", free, start=r"\xe3\x80\x92"),
    Shape("ADDRESS", rf"(?:{CJK}){{2,24}}(?:\xe8\xb7\xaf|\xe8\xa1\x97|\xe9\x81\x93|\xe5\xb7\xb7) ?\d{{1,5}}\xe5\x8f\xb7", all_of, start=rf"(?:{CJK}){{1,24}}(?:\xe8\xb7\xaf|\xe8\xa1\x97|\xe9\x81\x93|\xe5\xb7\xb7) ?\d{{1,5}}\xe5\x8f\xb7"),
)  # fmt: skip
