"""Passwords and keys that are given to a name: in code, settings, forms, addresses and messages."""

import re

from ghostrouter.redact.credentials import drawn_digits, inside, is_blank
from ghostrouter.redact.shape import Accept, Shape, names
from ghostrouter.redact.words import PASSWORDS

_DIGIT = re.compile(rb"\d")

# What may stand before a value: the name's end, then how it is given.
_PROVIDERS = "mistral|cohere|together|azure|openai|anthropic|gemini|groq|deepseek|perplexity|openrouter|xai|replicate"
STRONG_KEYS = (
    "(?:api|access|secret|private|auth|encryption|signing|master|account|subscription|shared|storage|client|service"
    f"|session|bot|deploy|license|webhook|hmac|jwt|aws|admin|bearer|user|app|root|sas|{_PROVIDERS})[ _.-]?(?:access[ _-]?)?(?:key|token|secret)"
)
_KEYS = (
    f"{STRONG_KEYS}(?:_(?:base64|base|b64|hex|value|prod|production|dev|staging|live|test|primary|secondary))?|access[ _-]?key[ _-]?id"
    "|credentials?|secret|token|sharedaccesskey|accountkey|sharedaccesssignature|sig|bearer|authtoken|apikey|x-functions-key"
)
_QUOTE = r"(?:\\{0,3}[\x22\x27`])?"
# The name and the value are values of their own: of attributes, or of a list of variables.
_VALUED = r"(?:,|\\{1,3}[rn]|[ \t\r\n])[ \t]{0,24}\\{0,3}[\x22\x27]?(?i:value)\\{0,3}[\x22\x27]?[ \t]{0,4}[:=]"
_GIVEN = (
    r"(?:_?\d{1,2})?" + _QUOTE + r"[\])]?[ \t]{0,8}"
    r"(?:=>|:=|={1,2}|:|>|(?i:is|was|ist|lautet|es|est|\xc3[\xa9\xa8]|je|jest|er|\xc3\xa4r|\xe6\x98\xaf)[ :]|\xef\xbc\x9a|\xe6\x98\xaf|\xe3\x81\xaf|,"
    rf"|{_VALUED}|\xe2\x80[\x93\x94]|\xe2\x86\x92|->)"
    r"[ \t]{0,8}"
)
_VALUE = r"[^\x00-\x20\x22\x27`;,<>\\]"
_TOKENS = r"[A-Za-z0-9+/=_.~%$!*@-]"
STOP = re.compile(
    rb"(?:true|false|none|null|nil|undefined|required|optional|string|str|text|hidden|changeme\?|bytes|int|varchar|default"
    rb"|password|passwort|secret|token|redacted|masked|example|placeholder|incorrect|invalid|correct|missing|expired|wrong)"
    rb"[.!?)\]}]*",
    re.IGNORECASE,
)
NAME_PATH = re.compile(rb"[$@&*!]?[A-Za-z_]+(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)+[()\[\].]*|[A-Za-z]+(?:_[A-Za-z]+)+")
INSERTED = re.compile(
    rb"[$%]?[{<(\[]|\$[A-Za-z_{(]|%[sd(]|https?:|/|\\|\.{2,}|[*xX.\-_#]+$|data:|\d{1,4}$|enc\[", re.IGNORECASE
)
# Names that stand in code, where the value may be a name, too.
_OF_CODE = re.compile(rb"[_-]{0,2}pass|pw|[_.-]", re.IGNORECASE)
# A form's next field, or a sign in HTML.
_NEXT = re.compile(rb"&[A-Za-z0-9_.-]+=|&(?:amp|quot|lt|gt|#\d+);|&&")
_CLOSING = b".,:!?)]}|"
_CALLING = (b"(", b"[")  # what follows is a function's or a list's
_PARTING = (b" ", b"", b"\n", b";", b",", b"&")
_AROUND = b" \t\\\"'`0123456789_"
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_SIGN = re.compile(rb"[^A-Za-z0-9\x80-\xff._/-]")


def _password(match: "re.Match[bytes]") -> tuple[int, int] | None:
    text, (begin, end) = match.string, match.span("value")
    given, quote, value, closed = match.group("given", "quote", "value", "closed")
    parted = None if closed else _NEXT.search(value)
    if parted:
        value = value[: parted.start()]
        end, closed = begin + len(value), None
    if not quote and value[-1] in _CLOSING:
        value = value.rstrip(_CLOSING)
        end = begin + len(value)
    after = text[end : end + 1]
    if (
        len(value) < (4 if quote else 5)
        or after in _CALLING
        or b"(" in value
        or STOP.fullmatch(value)
        or (NAME_PATH.fullmatch(value) and (_OF_CODE.match(text, match.start()) or not _DIGIT.search(value)))
    ):
        return None
    has_digit = _DIGIT.search(value) is not None
    if INSERTED.match(value) and (not quote or not has_digit):
        return None
    if quote and not closed and not parted and text[match.end() : match.end() + 1] not in _PARTING:
        return None
    mixed = (has_digit or _SIGN.search(value) is not None) and _LETTER.search(value) is not None
    last = given.strip()[-1:]
    spoken = last == b"," or (last not in b"=:" and given.strip(_AROUND)[:1].isalpha())
    if spoken:
        told = mixed and has_digit and len(value) >= 6
    elif quote:
        told = mixed or bool(closed) or b":" not in given
    else:
        tight = given.endswith(b"=") or b">" in given
        told = mixed or (tight and len(value) >= 6) or (len(value) > 5 and value.isdigit())
    return (begin, end) if told else None


_LONG_RUN = re.compile(rb"[A-Za-z0-9+/]{12}")


def _key(match: "re.Match[bytes]") -> tuple[int, int] | None:
    text, begin = match.string, match.start("value")
    value = match["value"].rstrip(_CLOSING)
    end, digits = begin + len(value), drawn_digits(value)
    if len(value) < 12 or not digits or INSERTED.match(value) or text[end : end + 1] in _CALLING or b"(" in value:
        return None
    if not _LETTER.search(value) or NAME_PATH.fullmatch(value) or is_blank(value):
        return None
    return (begin, end) if _LONG_RUN.search(value) or (len(value) >= 24 and digits >= 4) else None


_WORD_BEFORE = re.compile(
    rb"(?:primary|foreign|public|pub|cache|sort|partition|row|object|idempotency|dedup|hot|short|lookup|group|bucket|routing"
    rb"|index|map|hash|commit|checksum|message|event|blob|unique|composite|natural|surrogate|s3|answer|license)[ _.-]?$",
    re.IGNORECASE,
)
_DRAWN = re.compile(rb"[0-9a-f]{32,}|[A-Za-z0-9_+/=-]{20,}", re.IGNORECASE)
_MUCH = 32


def drawn(value: bytes) -> bool:
    """Nothing but letters and digits, many of them, that say nothing."""
    cased = not value.islower() and not value.isupper()
    said = not _DRAWN.fullmatch(value) or drawn_digits(value) < 3 or NAME_PATH.fullmatch(value) is not None
    return not said and (cased or len(value) >= _MUCH) and not is_blank(value)


def _drawn(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Where the name may mean other keys, too."""
    text, begin = match.string, match.start("value")
    name = match.start() + (text[match.start() + 1 : match.start() + 4] == b"Key")
    if _WORD_BEFORE.search(text, max(0, name - 16), name):
        return None
    value = match["value"].rstrip(_CLOSING)
    return (begin, begin + len(value)) if drawn(value) else None


def _quoted(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """A secret of any characters, between quotes."""
    begin, end = match.span("value")
    value = match["value"]
    if drawn_digits(value) < 2 or not _LETTER.search(value) or not _SIGN.search(value):
        return None
    return None if INSERTED.match(value) or is_blank(value) else (begin, end)


def _assigned(name: str, given: str = _GIVEN, value: str = _VALUE, least: int = 4) -> tuple[str, str]:
    """The pattern and its start."""
    name, quote = f"(?i:{name})", r"\\{0,3}[\x22\x27`]"
    whole = rf"{name}(?P<given>{given})(?P<quote>{quote})?(?P<value>{value}{{{least},256}}+)(?P<closed>[\x22\x27`\\])?"
    return whole, rf"{name}(?:{given})(?:{quote})?{value}{{{least}}}"


# Of a token longer than what is looked at.
_REST = rb"(?<=[A-Za-z0-9+/=_.~%$!*@-]{60})[A-Za-z0-9+/=_.~%$!*@-]*+"


def _given(kind: str, accept: Accept, assigned: tuple[str, str]) -> Shape:
    return Shape(kind, assigned[0], accept, b"" if kind == "PASSWORD" else _REST, assigned[1])


_PHRASE = (
    r"(?i:passphrase)" + _QUOTE + r"[ \t]{0,8}(?:=|:)[ \t]{0,8}\\{0,3}[\x22\x27]"
    r"([A-Za-z]{2,16}(?: [A-Za-z0-9]{1,16}){2,12})\\{0,3}[\x22\x27]"
)
# Sixteen letters in groups of four: passwords for applications, as mail services make them.
_GROUPS = rf"(?i:[_.-]?pass(?:word|wd)?|pwd|pw){_GIVEN}{_QUOTE}([a-z]{{4}}(?: [a-z]{{4}}){{3}})"
_BETWEEN_QUOTES = r"[^\x00-\x20\x22\x27\\]"
_QUOTED = rf"(?i:{_KEYS}){_GIVEN}\\{{0,3}}[\x22\x27](?P<value>[^\x00-\x20\x22\x27`<>\\]{{16,256}}+)\\{{0,3}}[\x22\x27]"
# Names that end with what means other things, too: `_pass`, `pw`, `_key`, `appKey`, ` PAT`.
_SHORT = r"[_.-](?i:pass|pw|psw|auth)|\b(?i:pw)"
_KEY = r"(?:\b|_)(?i:key|pat|salt|auth)|[a-z]Key"
_HEADER = r"(?i:authorization)" + _QUOTE + r"[ \t]{0,4}[:=,][ \t]{0,4}" + _QUOTE + r"(?:[A-Za-z-]{1,24}[ \t]{1,4}){0,2}"

SHAPES = (
    Shape("PASSWORD", _PHRASE, inside, start="(?i:passphrase)"),
    Shape("PASSWORD", _GROUPS, inside),
    _given("PASSWORD", _password, _assigned("--?(?:password|passwd|pass|pwd)|requirepass|masterauth", "[ ]")),
    _given("PASSWORD", _password, _assigned(names(PASSWORDS))),
    _given("PASSWORD", _password, _assigned(_SHORT)),
    Shape("PASSWORD", rf"{names(PASSWORDS)}(?P<given>{_GIVEN})(?P<quote>[\x22\x27])(?P<value>{_BETWEEN_QUOTES}{{4,128}}+)(?P<closed>[\x22\x27])", _password, start=rf"{names(PASSWORDS)}{_GIVEN}[\x22\x27]{_BETWEEN_QUOTES}{{4}}"),
    _given("API_KEY", _key, _assigned(_KEYS, value=_TOKENS, least=12)),
    _given("API_KEY", _key, _assigned("--(?:token|api-key|secret)", "[ ]", _TOKENS, 12)),
    _given("API_KEY", _drawn, _assigned(_KEY, value=_TOKENS, least=20)),
    _given("API_KEY", _drawn, (rf"{_HEADER}(?P<value>{_TOKENS}{{20,256}}+)", rf"{_HEADER}{_TOKENS}{{20}}")),
    Shape("API_KEY", _QUOTED, _quoted, start=rf"(?i:{_KEYS}){_GIVEN}\\{{0,3}}[\x22\x27][^\x00-\x20\x22\x27`<>\\]{{16}}"),
)  # fmt: skip
