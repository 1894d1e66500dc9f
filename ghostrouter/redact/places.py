"""Postal addresses that are told by their town's number, and those of eastern Asia."""

import re

from ghostrouter.redact.shape import CJK, WIDE, Shape, escaped, names, trimmed

_LETTER = rf"(?:[A-Za-z'.]|\xe2\x80\x99|{WIDE})"
_CAP = rf"(?:[A-Z]|{WIDE}){_LETTER}{{1,20}}"
_HOUSE = r"\d{1,4}(?:/\d{1,4})?(?: ?[a-zA-Z]\b)?"
_BREAK = r"(?:,? |,?[ ]?(?:\r?\n|\\n)[ ]{0,8})"
_ZIP = r"(?:(?:[A-Z]{1,2}-)?(?:\d{5}|\d{3} \d{2}|\d{2}-\d{3}|\d{4} [A-Z]{2}|\d{4}-\d{3}|\d{4}))"
_TOWN = rf"{_CAP}(?:[ -](?:[a-z]{{2,3}}[ -])?{_CAP}){{0,2}}(?: \d{{1,2}}\b)?"
_OF_THE = (
    r"\b(?:Am|An de[mr]|Auf de[mr]|Bei de[mr]|Beim|Hinter de[mr]|Im|In de[mrn]|Unter de[nmr]|Vor de[mr]|Zum|Zur|Alte[rs]?|Neue[rs]?"
    r"|Gro\xc3\x9fe[rs]?|Kleine[rs]?|Lange[rs]?|Obere[rs]?|Untere[rs]?|Op de|Aan de|Aan het|Nieuwe|Oude|Grote|Korte)"
)
# Behind a name: these stand alone. The name has a letter with an accent, so that not every name is waited for.
_BEHIND = names("náměstí|nám.|třída|ulice|utca|út|tér|körút|caddesi|cad.|sokak|sokağı|sok.|sk.|bulvarı|mahallesi|mah.")
_ACCENTED = rf"(?:[A-Z]{_LETTER}{{0,18}})?{WIDE}{_LETTER}{{1,18}}"

_US_TOWN = rf"{_CAP}(?: {_CAP}){{0,3}}"
_STATE = r",? [A-Z]{2,3} (?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_UNIT = r"(?:,? (?:Apt|Suite|Ste|Unit|#)\.? ?[A-Za-z0-9-]{1,6})?"
_US_STREET = rf"\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?{_CAP}(?: {_CAP}){{0,4}}{_UNIT}{_BREAK}{_US_TOWN}"
_LETTERS = rf"{_LETTER}+"
_US_START = rf"\b\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?{_LETTERS}(?: {_LETTERS}){{0,4}}{_UNIT}{_BREAK}{_LETTERS}(?: {_LETTERS}){{0,3}},? [A-Z]{{2,3}} [A-Z0-9]"

# 丁 番 号 號 の 之 弄 栋 棟 幢 楼 樓 室 单 层 座
_COUNTED = "|".join(map(escaped, "丁番号號の之弄栋棟幢楼樓室单层座"))
_DIGIT = r"(?:\d|\xef\xbc[\x90-\x99])"
_HYPHEN = r"-|\xe2\x88\x92|\xef\xbc\x8d|\xe2\x80\x93"
_PART = rf"(?:{_DIGIT}|{_HYPHEN}|{CJK}|[A-Z])"
_RUN = rf"(?:{CJK}){{3,24}} ?{_DIGIT}{{1,5}}(?:{_HYPHEN}|{_COUNTED})"
_CITY = re.compile("市|区|郡|县|縣|區|州".encode())
_PREFECTURE = "(?:東京都|北海道|(?:京都|大阪)府|[一-鿿]{2,3}県)"
_BLOCK = (
    "[一-鿿ぁ-ヶー]{1,8}?[市区郡](?:[一-鿿ぁ-ヶー]{1,12}?[町村])?[一-鿿ぁ-ヶー]{1,16} ?"
    "[0-9０-９]{1,4}(?:(?:丁目|番地|番|号|[-−－–の])[0-9０-９]{1,5}){1,4}(?:号室|番地|号)?"
)
_JAPANESE = re.compile(f"{_PREFECTURE}{_BLOCK}"), re.compile(_BLOCK)
_CHINESE = re.compile(
    "[一-鿿]{2,10}?[市州县縣区區][一-鿿]{0,16}?[路街道巷弄村镇里段園园厦城苑座] ?[0-9０-９]{1,5}(?:[号號弄栋棟幢楼樓室之层座]|单元)"
    "(?:[院之]|[A-Z]?[0-9]{1,5}(?:号楼|[号號楼樓室栋棟幢层座]|单元)|[A-Z]座){0,6}"
)


def _asian(match: "re.Match[bytes]") -> tuple[int, int]:
    """What looks like an address of Japan or China; nothing else begins within these characters."""
    span = _place(match, match.start())
    number = match.end() - len(match[0].lstrip(_NO_NUMBER))
    return span or (number, number)


def _coded(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """After a postal code."""
    span = _place(match, match.start(1))
    return (match.start(), span[1]) if span else None


_NO_NUMBER = bytes(range(0x80, 0x100)) + b" "


def _place(match: "re.Match[bytes]", begin: int) -> tuple[int, int] | None:
    if not _CITY.search(match.string, begin, match.end()):
        return None
    found = match.string[begin : match.end()].decode("utf-8", "replace")
    place = next(filter(None, (form.search(found) for form in (*_JAPANESE, _CHINESE))), None)
    if not place:
        return None
    first = begin + len(found[: place.start()].encode())
    return first, first + len(place[0].encode())


_HANGUL = r"[\xea-\xed][\x80-\xbf][\x80-\xbf]"
_TOWNS, _WARDS, _ROADS, _FLATS = ("|".join(map(escaped, ends)) for ends in ("시도", "구군시", "로길동가", "동층호"))
_KOREAN_TOWN = rf"(?:{_HANGUL}){{1,7}}(?:{_TOWNS}) (?:{_HANGUL}){{1,6}}(?:{_WARDS}) "
_KOREAN = (
    rf"{_KOREAN_TOWN}(?:(?:{_HANGUL}){{1,6}} ){{0,2}}(?:{_HANGUL}){{1,9}}(?:{_ROADS})(?:\d{{1,3}}{escaped('번')}?{escaped('길')})? ?"
    rf"\d{{1,4}}(?:-\d{{1,4}})?(?:,? \d{{1,4}}(?:{_FLATS})){{0,3}}"
)
_POSTCODE = r"\xe3\x80\x92 ?\d{3}-\d{4}(?: |\xe3\x80\x80|\r?\n|\\n)?"

SHAPES = (
    Shape("ADDRESS", rf"{_OF_THE} {_CAP}(?:[ -]{_CAP}){{0,2}} {_HOUSE}{_BREAK}{_ZIP} {_TOWN}", trimmed, start=rf"{_OF_THE} {_CAP}(?:[ -]{_CAP}){{0,2}} \d"),
    Shape("ADDRESS", rf"{_ACCENTED}(?: {_CAP})? {_BEHIND} (?:[Nn]o:? ?)?{_HOUSE}(?:{_BREAK}{_ZIP} {_TOWN})?", trimmed, start=rf"(?:[A-Z]{_LETTER}*)?{WIDE}{_LETTER}+(?: {_CAP})? {_BEHIND} (?:[Nn]o:? ?)?\d"),
    Shape("ADDRESS", rf"\b{_US_STREET}{_STATE}", trimmed, start=_US_START),
    Shape("ADDRESS", rf"{_RUN}{_PART}{{0,24}}", _asian, start=_RUN),
    Shape("ADDRESS", rf"{_POSTCODE}({_RUN}{_PART}{{0,24}})", _coded, start=_POSTCODE),
    Shape("ADDRESS", _KOREAN, trimmed, start=_KOREAN_TOWN),
)  # fmt: skip
