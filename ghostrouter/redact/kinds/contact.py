"""Contact data: e-mail addresses, phone numbers, IP addresses."""

import re
import socket
import string
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata

from ghostrouter.redact.shape import (
    CJK,
    WIDE,
    WIDE_BYTES,
    WORD_BYTES,
    WORD_ENDS,
    Accept,
    Shape,
    any_word,
    digits_of,
    group,
    in_word,
)

# --- mail
_NO_IMAGE = r"(?!\d(?:\.\d)?x\.(?i:png|jpe?g|gif|svg|webp)(?![A-Za-z0-9.-]))"  # icon@2x.png
# Atomic: if a word goes on behind the last label, `re` does not try fewer labels.
_AT = (
    rf"@{_NO_IMAGE}(?>(?:[A-Za-z0-9{WIDE_BYTES}-]{{1,126}}\.){{1,6}}[A-Za-z{WIDE_BYTES}]{{2,48}}+(?:--?[a-z0-9]{{1,20}})?)"
    rf"{WORD_ENDS}(?![(\[])"
)
_ENCODED_AT = rf"%40(?>(?:[A-Za-z0-9-]{{1,63}}\.){{1,6}}[A-Za-z]{{2,24}}+){WORD_ENDS}"  # `to=anna%40example.org`
_LATER_BYTES = bytes(range(0x80, 0xC0))  # of a character
_LOCAL_BYTES = (string.ascii_letters + string.digits + "._%+'-").encode() + bytes(range(0xC3, 0xD5)) + _LATER_BYTES
_NO_START = b".%+'-" + _LATER_BYTES
_LOCAL = 64  # bytes before the @ (RFC 5321, 4.5.3.1.1)


def _email(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept an address of mail, from where the part before the @ begins."""
    text, (at, end) = match.string, match.span()
    before = text[at - _LOCAL if at > _LOCAL else 0 : at]
    rest = before.rstrip(_LOCAL_BYTES)
    local = before[len(rest) :]
    if rest[-1:] == b"\\" and local[:1] in (b"n", b"r", b"t"):  # the escape of a line's end or of a tab
        local = local[1:]
    local = local.lstrip(_NO_START)
    if not local or (local == b"git" and text[end : end + 1] == b":"):
        return None
    return at - len(local), end


# --- telephone
_COLON, _COMMA = b":,"
# Words before a number, in the languages of those who write them.
_PHONES = (
    "contact number|contact no|phone number|phone no|mobile number|mobile no|telephone|phone|mobile|cell|cellphone|fax|telefax|telefon|telefonnummer|telefonnr|rufnummer|handy|handynummer"
    "|mobil|mobilnummer|mobiltelefon|natel|durchwahl|festnetz|téléphone|teléfono|telefono|móvil|movil|celular"
    "|cellulare|recapito|telefone|telemóvel|telemovel|telefoon|telefoonnummer|mobiel|komórka|telefonszám|mobilszám"
    "|puhelin|puhelinnumero|matkapuhelin|telefón|telefonul|telpon|telepon|whatsapp|viber|điện thoại|sđt"
    "|телефон|телефону|телефона|мобильный|мобільний|звоните|звонить|τηλέφωνο|κινητό|טלפון|נייד|هاتف|جوال"
    "|اتصل على|फ़ोन|फोन|मोबाइल|โทรศัพท์|เบอร์|โทร|电话|電話|手机|手機|電話番号|携帯|連絡先|전화|전화번호|휴대폰|핸드폰|연락처"
)
# The same, where the word has other meanings, too.
_MAYBE_PHONES = (
    "fijo|fixo|landline|office|switchboard|centralita|tel|mob|cel|tél|gsm|tlf|tfn|kom|puh|τηλ|тел|моб|cep|hp|wa|sms|text|ring|bel|call|dial|reach|contact|ligue|llámame"
    "|llamar|llama|appelez|appelle|joindre|joignable|portable|fixe|chiama"
    "|chiamare|zadzwoń|anrufen|erreichbar|טל"
)
_DIGITS = string.digits.encode()
_LEAST, _MOST = 8, 15  # digits of a number


@cache  # at most a thousand
def _lengths(start: bytes) -> frozenset[int]:
    """How many digits numbers have that start with a country's code."""
    for size in (1, 2, 3):
        code = int(start[:size])
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
        found = (PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions)
        forms = [region.general_desc for region in found if region]
        lengths = {size + n for form in forms if form for n in form.possible_length}
        if lengths:
            return frozenset(n for n in lengths if _LEAST <= n <= _MOST)
    return frozenset()


def _international(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept as many groups as numbers of the country have; a zero in brackets does not count."""
    text, (begin, end) = match.string, match.span()
    if begin and text[begin - 1] in WORD_BYTES:
        return None
    first = match.start(1)
    number = digits_of(match[1])
    lengths = _lengths(number[:3])
    count = len(number)
    if count < end - first:
        count -= text.count(b"(0)", first, end)
    while lengths and count >= _LEAST:
        if count in lengths and not in_word(text, end):
            return begin, end
        end = max(text.rfind(s, begin + 2, end) for s in (b" ", b"-", b"."))
        if end < 0:
            return None
        count = len(digits_of(text[first:end])) - text.count(b"(0)", first, end)
    return None


_SEPARATOR = re.compile(rb"[ ./-]")


def _zeros(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a number in groups that starts with 00, but no decimals."""
    text, (begin, end) = match.string, match.span()
    if not _SEPARATOR.search(text, begin, end) or (begin > 1 and text[begin - 2] in _DIGITS):
        return None
    return _international(match)


_NOT_BEFORE = WORD_BYTES | frozenset(b"+-./,")
_LISTED = frozenset(b"0(")  # starts of numbers that may follow a comma
_DECIMALS = re.compile(rb"[-.,/]\d")


def _national(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a number that is no part of something longer."""
    text, (begin, end) = match.string, match.span()
    before = text[begin - 1] if begin else 0
    if before in _NOT_BEFORE and not (before == _COMMA and text[begin] in _LISTED):
        return None
    return None if in_word(text, end) or _DECIMALS.match(text, end) else (begin, end)


_DATE = re.compile(
    rb"\d+\.\d+\Z|\d{4}-\d\d?-\d\d?|\d\d?[./-]\d\d?[./-](?:19|20)\d\d|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\Z"
)
_GAPS = re.compile(rb"[ ()./-]{1,3}")
_STARTS = (b"+", b"0", b"(")
_NEAR = 3  # bytes between a word and its number
_FULL = 10  # digits of a number in two groups


def _behind_word(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a number that is grouped, or starts as numbers do, or stands right behind the word."""
    text, (begin, end) = match.string, match.span("number")
    number = text[begin:end]
    count = len(digits_of(number))
    if not _LEAST - 1 <= count <= _MOST or _DATE.match(number) or in_word(text, end):
        return None
    gaps = len(_GAPS.findall(number))
    formed = number[:1] in _STARTS or gaps >= 2 or (gaps == 1 and count >= 9)
    near = match.end("name") + _NEAR >= begin and (not gaps or count < 9) and count >= _LEAST - 1
    return (begin, end) if formed or near else None


def _behind_maybe(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a number that looks like one, behind a word with other meanings."""
    number = match["number"]
    gaps = len(_GAPS.findall(number))
    formed = number[:1] in _STARTS or gaps >= 2 or (gaps == 1 and len(digits_of(number)) >= _FULL)
    return _behind_word(match) if formed else None


_NUMBER = r"(?P<number>\+?\(?\d(?:[ ()./-]{0,2}\d){6,14})"
# Between a word and its number: signs, and words as in "my phone number in Dublin is".
_BETWEEN = r"(?:[^\x00-\x200-9+(;,|]{0,16}+ ){0,5}[^\x00-\x200-9+(;,|]{0,3}"
_BETWEEN_OPENING = r"(?:[^\x00-\x200-9+(;,|]* ){0,5}[^\x00-\x200-9+(;,|]*\+?\(?\d"


def _behind(words: str, accept: Accept) -> Shape:
    """A shape of words and a number. ASCII words stand apart, so that none starts within a longer one."""
    ascii_words = "|".join(w for w in words.split("|") if w.isascii())
    others = "|".join(w for w in words.split("|") if not w.isascii())
    name = rf"(?P<name>\b{any_word(ascii_words)}|{any_word(others)})"
    return Shape("PHONE", rf"{name}{_BETWEEN}{_NUMBER}", accept, opening=rf"{name}{_BETWEEN_OPENING}")


# Within a country.
_NATIONAL = (
    r"\(0?[1-9]\d{1,3}\)[ -]?\d{3,5}[-. ]?\d{3,5}"  # North America, Brazil
    r"|\b(?:1[-.])?[2-9]\d{2}-[2-9]\d{2}-\d{4}|\b(?:1[-.])?[2-9]\d{2}\.[2-9]\d{2}\.\d{4}"  # North America
    r"|\b0[1-9](?:[ .-]\d{2}){4}"  # France
    r"|\b0[1-9]\d{1,3}[ -]\d{3,4}[ -]\d{3,4}|\b0[1-9]\d{0,2}-\d{4}-\d{4}"  # Japan, South Korea, United Kingdom
    r"|\b0[1-9]\d{0,3}/\d{5,9}"  # Germany, Austria
    r"|\b0[1-9]\d{1,3} \d{6,8}"  # Germany, United Kingdom, India
    r"|\b0[1-9]\d?-\d{7,8}"  # the Netherlands, Poland
    r"|\b0[1-9]\d{0,2}-\d{2,3} \d{2} \d{2}"  # Sweden
    r"|\b0[1-9]\d{1,2}(?: \d{2}){3}"  # Belgium
    r"|\b\(?0\d{2,3}\)? \d{3} \d{2} \d{2}"  # Switzerland, Turkey
    r"|\(0\d{1,4}\) \d{2,4} \d{2,4}(?: \d{2,4})?"
    r"|\b0\d \d{4} \d{4}"  # Australia, Japan
    r"|\b8[ -]?\(?9\d{2}\)?[ -]\d{3}[ -]?\d{2}[ -]?\d{2}"  # Russia, Kazakhstan
    r"|\b1[3-9]\d[ -]\d{4}[ -]\d{4}"  # China
    r"|\b[679]\d{2}(?: \d{2}){3}"  # Spain
)

# --- network
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
_BEFORE_BYTES = 24  # bytes before an address that may say what it is
_BYTE = rb"(?:[1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
# Neither this machine, nor every machine, nor a mask of networks.
_OF_SOMEBODY = re.compile(rb"(?!127\.|0\.0\.0\.0|255\.)%b\.%b\.%b\.%b" % ((_BYTE,) * 4)).fullmatch


def _ipv4(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept an address that is no version, no number of a section and no part of something longer."""
    text, (begin, end) = match.string, match.span()
    if end < len(text) and text[end] in _NO_END:
        after = text[end : end + 2]
        if after[:1] == b"." and after[1:].isdigit():
            return end, end
        if after[0] in WORD_BYTES or (after[:1] == b"-" and after[1:].isalpha()):
            return None
    if not _OF_SOMEBODY(text, begin, end):
        return None
    before = text[begin - _BEFORE_BYTES if begin > _BEFORE_BYTES else 0 : begin]
    words_before = before.rstrip(_BEFORE_VALUE)
    if before and before[-1] in b".-/=" and _BELONGS.search(before):
        return None
    if not words_before or words_before[-1] not in _SUSPECT:
        return begin, end
    return None if words_before[-1] in _COMPARED or _VERSION.search(words_before) else (begin, end)


_ROUTED = re.compile(
    rb"[23][0-9a-f]{3}:|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|ff0[0-9a-f]:|::ffff:\d|64:ff9b:", re.IGNORECASE
)


def _ipv6(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept an address that is routed, or has all its eight groups."""
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
_PREFIX = r"(?:[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]|ff0[0-9a-f])"

SHAPES = (
    Shape("EMAIL", rf"(?:[A-Za-z0-9._%+'-]|{WIDE}){{1,{_LOCAL}}}{_AT}", _email, core=_AT),
    Shape("EMAIL", rf"[A-Za-z0-9._%+-]{{1,{_LOCAL}}}{_ENCODED_AT}", _email, core=_ENCODED_AT),
    Shape("PHONE", r"\+(\(?\d(?:\d|[ ./()-]\d|[ -]\(\d|\)[ -]\d){6,15})", _international),
    Shape("PHONE", r"\b00([1-9]\d(?:\d|[ .()/-]{1,2}\d){7,13})", _zeros),
    Shape("PHONE", _NATIONAL, _national),
    Shape("PHONE", rf"{CJK}(?:\xef\xbc\x9a|[ :])?(1[3-9]\d{{9}}){WORD_ENDS}", group),
    _behind(_PHONES, _behind_word),
    _behind(_MAYBE_PHONES, _behind_maybe),
    Shape("IP_ADDRESS", rf"\b{_IPV4}", _ipv4),
    Shape("IP_ADDRESS", rf"::(?i:ffff):{_IPV4}", _ipv6),
    Shape("IP_ADDRESS", r"\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}", _ipv6),
    Shape("IP_ADDRESS", rf"\b(?i:{_PREFIX}(?::[0-9a-f]{{1,4}}){{0,6}}|64:ff9b)::(?:[0-9A-Fa-f]{{1,4}}:){{0,6}}(?:{_IPV4}|[0-9A-Fa-f]{{1,4}})?", _ipv6),
)  # fmt: skip
