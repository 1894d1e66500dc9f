"""Postal addresses. They are looked for only where the configuration asks for it."""

import re

from ghostrouter.redact.shape import CJK, WIDE, WIDE_BYTES, WORD_ENDS, Shape, any_word, in_word, utf8, whole


def _whole_words(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a match as far as it ends with a whole word."""
    text, (begin, end) = match.string, match.span()
    if in_word(text, end):
        end = max(text.rfind(b" ", begin, end), text.rfind(b",", begin, end))
    return (begin, end) if end - begin > 6 else None


# --- told by the word for a street
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
    return _whole_words(match) if match.lastindex else None


_CAPITAL = rf"(?:[A-Z]|{WIDE})"
_ROAD = rf"(?:(?:{_CAPITAL}|\d)(?:[A-Za-z0-9'.-]|\xe2\x80\x99|{WIDE})* ){{1,5}}{_ENGLISH}\b"

# --- told by the number of the town, and those of eastern Asia
_LETTER = rf"(?:[A-Za-z'.]|\xe2\x80\x99|{WIDE})"
_CAPPED = rf"(?:[A-Z]|{WIDE}){_LETTER}{{1,20}}"
_HOUSE_NUMBER = r"\d{1,4}(?:/\d{1,4})?(?: ?[a-zA-Z]\b)?"
_LINE_OR_COMMA = r"(?:,? |,?[ ]?(?:\r?\n|\\n)[ ]{0,8})"
_ZIP = r"(?:(?:[A-Z]{1,2}-)?(?:\d{5}|\d{3} \d{2}|\d{2}-\d{3}|\d{4} [A-Z]{2}|\d{4}-\d{3}|\d{4}))"
_PLACE_NAME = rf"{_CAPPED}(?:[ -](?:[a-z]{{2,3}}[ -])?{_CAPPED}){{0,2}}(?: \d{{1,2}}\b)?"
_OF_THE = (
    r"\b(?:Am|An de[mr]|Auf de[mr]|Bei de[mr]|Beim|Hinter de[mr]|Im|In de[mrn]|Unter de[nmr]|Vor de[mr]|Zum|Zur|Alte[rs]?|Neue[rs]?"
    r"|Gro\xc3\x9fe[rs]?|Kleine[rs]?|Lange[rs]?|Obere[rs]?|Untere[rs]?|Op de|Aan de|Aan het|Nieuwe|Oude|Grote|Korte)"
)
# Behind a name: these stand alone. The name has a letter with an accent, so that not every name is waited for.
_BEHIND = any_word(
    "náměstí|nám.|třída|ulice|utca|út|tér|körút|caddesi|cad.|sokak|sokağı|sok.|sk.|bulvarı|mahallesi|mah."
)
_ACCENTED = rf"(?:[A-Z]{_LETTER}{{0,18}})?{WIDE}{_LETTER}{{1,18}}"

_US_TOWN = rf"{_CAPPED}(?: {_CAPPED}){{0,3}}"
_STATE_AND_CODE = r",? [A-Z]{2,3} (?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_FLAT = r"(?:,? (?:Apt|Suite|Ste|Unit|#)\.? ?[A-Za-z0-9-]{1,6})?"
_US_STREET = rf"\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?{_CAPPED}(?: {_CAPPED}){{0,4}}{_FLAT}{_LINE_OR_COMMA}{_US_TOWN}"
_LETTERS = rf"{_LETTER}+"
_US_START = rf"\b\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? )?{_LETTERS}(?: {_LETTERS}){{0,4}}{_FLAT}{_LINE_OR_COMMA}{_LETTERS}(?: {_LETTERS}){{0,3}},? [A-Z]{{2,3}} [A-Z0-9]"

# 丁 番 号 號 の 之 弄 栋 棟 幢 楼 樓 室 单 层 座
_COUNTED = "|".join(map(utf8, "丁番号號の之弄栋棟幢楼樓室单层座"))
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
_TOWNS, _WARDS, _ROADS, _FLATS = ("|".join(map(utf8, ends)) for ends in ("시도", "구군시", "로길동가", "동층호"))
_KOREAN_TOWN = rf"(?:{_HANGUL}){{1,7}}(?:{_TOWNS}) (?:{_HANGUL}){{1,6}}(?:{_WARDS}) "
_KOREAN = (
    rf"{_KOREAN_TOWN}(?:(?:{_HANGUL}){{1,6}} ){{0,2}}(?:{_HANGUL}){{1,9}}(?:{_ROADS})(?:\d{{1,3}}{utf8('번')}?{utf8('길')})? ?"
    rf"\d{{1,4}}(?:-\d{{1,4}})?(?:,? \d{{1,4}}(?:{_FLATS})){{0,3}}"
)
_JAPANESE_CODE = r"\xe3\x80\x92 ?\d{3}-\d{4}(?: |\xe3\x80\x80|\r?\n|\\n)?"

SHAPES = (
    Shape("ADDRESS", rf"\b{_INSIDE}\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})? (?:(?:North|South|East|West|N|S|E|W|NE|NW|SE|SW)\.? )?(?:{_WORDS} ){{1,4}}{_ENGLISH}\b\.?{_WIND}{_UNIT}{_REGION}", _whole_words, opening=rf"\b{_INSIDE}\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})? {_ROAD}"),
    Shape("ADDRESS", rf"\b(?i:p\.? ?o\.? box) \d{{1,6}}{_REGION}", _whole_words, opening=r"\b(?i:p\.? ?o\.? box) \d"),
    Shape("ADDRESS", rf"{_GERMAN} {_HOUSE}{_ZIP_TOWN}?", _whole_words, opening=rf"{_GERMAN} \d"),
    Shape("ADDRESS", rf"\b{_HOUSE}(?: ?(?:bis|ter))?,? {_ROMANCE} {_NAMED}{_ZIP_TOWN}?", _whole_words, opening=rf"\b\d{{1,4}}(?:[ -]?[a-zA-Z])?(?:[-/]\d{{1,4}})?(?: ?(?:bis|ter))?,? {_ROMANCE} "),
    Shape("ADDRESS", rf"(?:({_STREET})|{_MAYBE_STREET}) {_NAMED}{_HOUSE_SAID}{_HOUSE}{_DOOR}({_ZIP_TOWN})?", _romance, opening=rf"{_ROMANCE} (?:{_SMALL}[ ]?)*{_CAPITAL}"),
    Shape("ADDRESS", rf"\xe3\x80\x92 ?\d{{3}}-\d{{4}} ?(?:(?:{CJK}){{2,30}}[0-9-]{{0,12}}+)?+{WORD_ENDS}", whole, opening=r"\xe3\x80\x92"),
    Shape("ADDRESS", rf"(?:{CJK}){{2,24}}(?:\xe8\xb7\xaf|\xe8\xa1\x97|\xe9\x81\x93|\xe5\xb7\xb7) ?\d{{1,5}}\xe5\x8f\xb7", whole, opening=rf"(?:{CJK}){{1,24}}(?:\xe8\xb7\xaf|\xe8\xa1\x97|\xe9\x81\x93|\xe5\xb7\xb7) ?\d{{1,5}}\xe5\x8f\xb7"),
    Shape("ADDRESS", rf"{_OF_THE} {_CAPPED}(?:[ -]{_CAPPED}){{0,2}} {_HOUSE_NUMBER}{_LINE_OR_COMMA}{_ZIP} {_PLACE_NAME}", _whole_words, opening=rf"{_OF_THE} {_CAPPED}(?:[ -]{_CAPPED}){{0,2}} \d"),
    Shape("ADDRESS", rf"{_ACCENTED}(?: {_CAPPED})? {_BEHIND} (?:[Nn]o:? ?)?{_HOUSE_NUMBER}(?:{_LINE_OR_COMMA}{_ZIP} {_PLACE_NAME})?", _whole_words, opening=rf"(?:[A-Z]{_LETTER}*)?{WIDE}{_LETTER}+(?: {_CAPPED})? {_BEHIND} (?:[Nn]o:? ?)?\d"),
    Shape("ADDRESS", rf"\b{_US_STREET}{_STATE_AND_CODE}", _whole_words, opening=_US_START),
    Shape("ADDRESS", rf"{_RUN}{_PART}{{0,24}}", _asian, opening=_RUN),
    Shape("ADDRESS", rf"{_JAPANESE_CODE}({_RUN}{_PART}{{0,24}})", _coded, opening=_JAPANESE_CODE),
    Shape("ADDRESS", _KOREAN, _whole_words, opening=_KOREAN_TOWN),
)  # fmt: skip
