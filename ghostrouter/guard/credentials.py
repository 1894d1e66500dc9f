"""Keys, tokens and passwords.

Prefixes: the providers' documentation, GitHub's list of secret scanning partners, gitleaks' and detect-secrets' rules.
"""

import re

from ghostrouter.guard.shape import Accept, Shape, all_of, in_word

_RUN = re.compile(rb"[A-Za-z0-9+/]+")
_DIGIT = re.compile(rb"\d")
_LOOK = 512  # bytes of a token that are looked at
_HEADER = 1000  # bytes of a JWT's header

# Prefix -> what it opens. The rest of the token is letters, digits, "_" and "-".
_PREFIXES = (
    # models
    "sk-", "sk_", "pk-lf-", "xai-", "gsk_", "hf_", "api_org_", "r8_", "pplx-", "fw_", "csk-", "nvapi-", "tgp_v1_", "tvly-",
    "lsv2_[ps][tk]_", "pcsk_", "jina_", "pa-", "dapi", "fc-", "esecret_", "co-", "key_live_", "AIza", "GOCSPX-", "AQ\\.Ab",
    # git and packages
    "gh[pousr]_", "github_pat_", "gl[a-z]{2,6}-", "npm_", "pypi-", "rubygems_", "dckr_[po]at_", "ATATT3", "ATBB", "oy2",
    # payment, messages, clouds, tools
    "[rp]k_live_", "[rp]k_test_", "whsec_", "xox[abeoprs]-", "xapp-", "shp[ac][at]_", "shpss_", "sq0[a-z]{3}-", "do[opr]_v1_",
    "lin_api_", "ntn_", "secret_", "figd_", "PMAK-", "hvs\\.", "hvb\\.", "dp\\.[ps]t\\.", "NRAK-", "sntrys_", "sntryu_", "sbp_",
    "sb_secret_", "glsa_", "glc_", "nfp_", "fm[12]_", "fo1_", "pscale_[a-z]{2,6}_", "HRKU-", "ops_eyJ", "AGE-SECRET-KEY-1", "key-",
    "EAA", "ya29\\.", "1//0", "LTAI", "AKID", "SG\\.[A-Za-z0-9_-]{22}\\.", "tskey-[a-z]{3,8}-", "rnd_", "vercel_", "phx_", "phc_", "re_",
)  # fmt: skip
_RANDOM = r"[A-Za-z0-9_-]{14,1000}+"  # what is longer is swallowed


def _token(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Something drawn at random, and no words with dashes between them."""
    rest = match.string[match.start() : min(match.end(), match.start() + _LOOK)]
    longest = max(_RUN.findall(rest), key=len, default=b"")
    digits = _digits(rest)
    mixed = not longest.islower() and not longest.isupper() and not longest.isdigit()
    drawn = (digits >= 2 and len(longest) >= 10) or (len(longest) >= 16 and mixed) or len(longest) >= 20 or digits >= 6
    begin, end = match.span()
    return (begin, end) if drawn and not _is_blank(rest) else (min(end, begin + _LOOK),) * 2


def _digits(token: bytes) -> int:
    return len(token) - len(token.translate(None, b"0123456789"))


def _is_blank(token: bytes) -> bool:
    """Stars, x after x: nothing that is a secret."""
    return len(set(token[len(token) // 2 :].lower())) <= 2


_FIXED = (
    r"\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA|AIPA)[A-Z2-7]{16}",
    r"\b(?:AC|SK)[0-9a-f]{32}",  # Twilio
    r"\b[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    r"\b[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}",  # Azure client secrets
    r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
    r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",  # Discord
)


def _fixed(match: "re.Match[bytes]") -> tuple[int, int] | None:
    return None if in_word(match.string, match.end()) or _is_blank(match[0]) else match.span()


# What may stand before a value: the name's end (or a phrase), then how it is given.
_NAMES = (
    "password|passwd|passphrase|passcode|passwort|kennwort|pwd|passw|contrase(?:n|\\xc3\\xb1)a|mot ?de ?passe|senha|wachtwoord"
    "|parola|has\\xc5\\x82o|l\\xc3\\xb6senord|\\xd0\\xbf\\xd0\\xb0\\xd1\\x80\\xd0\\xbe\\xd0\\xbb\\xd1\\x8c"
    "|\\xe5\\xaf\\x86\\xe7\\xa0\\x81|\\xe5\\xaf\\x86\\xe7\\xa2\\xbc|\\xe3\\x83\\x91\\xe3\\x82\\xb9\\xe3\\x83\\xaf\\xe3\\x83\\xbc\\xe3\\x83\\x89"
    "|\\xeb\\xb9\\x84\\xeb\\xb0\\x80\\xeb\\xb2\\x88\\xed\\x98\\xb8"
)
_PROVIDERS = "mistral|cohere|together|azure|openai|anthropic|gemini|groq|deepseek|perplexity|openrouter|xai|replicate"
_KEYS = (
    "(?:api|access|secret|private|auth|encryption|signing|master|account|subscription|shared|storage|client|service"
    f"|session|bot|deploy|license|webhook|hmac|jwt|aws|{_PROVIDERS})[ _.-]?(?:access[ _-]?)?(?:key|token|secret)(?:[ _-]?id)?"
    "|credentials?|secret|token|sharedaccesskey|accountkey|sharedaccesssignature|sig|bearer|authtoken|apikey|x-functions-key"
)
_QUOTE = r"(?:\\{0,3}[\x22\x27`])?"
_GIVEN = (
    r"(?:_?\d{1,2})?" + _QUOTE + r"[ \t]{0,8}"
    r"(?:=>|:=|={1,2}|:|>|(?i:is|was|ist|lautet|es|est|\xc3\xa9|\xe6\x98\xaf)[ :]|\xef\xbc\x9a|\xe6\x98\xaf|\xe3\x81\xaf|,)"
    r"[ \t]{0,8}"
)
_VALUE = r"[^\x00-\x20\x22\x27`;,&<>\\]"
_TOKENS = r"[A-Za-z0-9+/=_.~%$!*@-]"
_STOP = re.compile(
    rb"(?:true|false|none|null|nil|undefined|required|optional|string|str|text|hidden|changeme\?|bytes|int|varchar|default"
    rb"|password|passwort|secret|token|redacted|masked|example|placeholder|incorrect|invalid|correct|missing|expired|wrong)"
    rb"[.!?)\]}]*",
    re.IGNORECASE,
)
_NAME_PATH = re.compile(rb"[$@&*!]?[A-Za-z_]+(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)+[()\[\].]*|[A-Za-z]+(?:_[A-Za-z]+)+")
_INSERTED = re.compile(
    rb"[$%]?[{<(\[]|\$[A-Za-z_{(]|%[sd(]|https?:|/|\\|\.{2,}|[*xX.\-_#]+$|data:|\d{1,4}$|enc\[", re.IGNORECASE
)
_CLOSING = b".,:!?)]}|"
_CALLING = (b"(", b"[")  # what follows is a function's or a list's
_PARTING = (b" ", b"", b"\n", b";", b",", b"&")
_AROUND = b" \t\\\"'`0123456789_"
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_SIGN = re.compile(rb"[^A-Za-z0-9\x80-\xff._/-]")


def _password(match: "re.Match[bytes]") -> tuple[int, int] | None:
    text, (begin, end) = match.string, match.span("value")
    given, quote, value, closed = match.group("given", "quote", "value", "closed")
    if not quote and value[-1] in _CLOSING:
        value = value.rstrip(_CLOSING)
        end = begin + len(value)
    after = text[end : end + 1]
    if (
        len(value) < (4 if quote else 5)
        or after in _CALLING
        or b"(" in value
        or _STOP.fullmatch(value)
        or _NAME_PATH.fullmatch(value)
    ):
        return None
    has_digit = _DIGIT.search(value) is not None
    if _INSERTED.match(value) and (not quote or not has_digit):
        return None
    if quote and not closed and text[match.end() : match.end() + 1] not in _PARTING:
        return None
    mixed = (has_digit or _SIGN.search(value) is not None) and _LETTER.search(value) is not None
    last = given.strip()[-1:]
    spoken = last == b"," or given.strip(_AROUND)[:1].isalpha()
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
    end, digits = begin + len(value), _digits(value)
    if len(value) < 12 or not digits or _INSERTED.match(value) or text[end : end + 1] in _CALLING or b"(" in value:
        return None
    if not _LETTER.search(value) or _NAME_PATH.fullmatch(value) or _is_blank(value):
        return None
    return (begin, end) if _LONG_RUN.search(value) or (len(value) >= 24 and digits >= 4) else None


def _assigned(names: str, given: str = _GIVEN, value: str = _VALUE, least: int = 4) -> tuple[str, str]:
    """The pattern and its start."""
    name, quote = f"(?i:{names})", r"\\{0,3}[\x22\x27`]"
    whole = rf"{name}(?P<given>{given})(?P<quote>{quote})?(?P<value>{value}{{{least},256}}+)(?P<closed>[\x22\x27`\\])?"
    return whole, rf"{name}(?:{given})(?:{quote})?{value}{{{least}}}"


def _given(kind: str, accept: Accept, assigned: tuple[str, str]) -> Shape:
    return Shape(kind, assigned[0], accept, start=assigned[1])


_PHRASE = (
    r"(?i:passphrase)" + _QUOTE + r"[ \t]{0,8}(?:=|:)[ \t]{0,8}\\{0,3}[\x22\x27]"
    r"([A-Za-z]{2,16}(?: [A-Za-z0-9]{2,16}){2,12})\\{0,3}[\x22\x27]"
)


def _inside(match: "re.Match[bytes]") -> tuple[int, int]:
    return match.span(1)


def _url(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """The password of user:password@host."""
    begin, end = match.span(1)
    return None if _INSERTED.match(match.string, begin, end) else (begin, end)


def _bearer(match: "re.Match[bytes]") -> tuple[int, int] | None:
    begin, end = match.span(1)
    token = match.string[begin : min(end, begin + _LOOK)]
    random = _DIGIT.search(token) and _LETTER.search(token) and not _is_blank(token)
    return (begin, end) if random else (begin + len(token),) * 2


def _jwt(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """A header is no longer than that."""
    begin, end = match.span()
    return (begin, end) if match.string.find(b".", begin, begin + _HEADER) > 0 else (min(end, begin + _HEADER),) * 2


_PEM = (
    r"-----BEGIN [A-Z0-9 ]{1,40}-----(?:\\{1,3}[rn]|[\x09-\x0d \x22\x27+>|,])+"
    r"(?:[A-Za-z-]{2,20}: [ -\x5b\x5d-\x7e]{1,80}(?:\\{1,3}[rn]|[\x09-\x0d \x22\x27+>|,])+){0,4}[A-Za-z0-9+/=]{12,}+"
)

_BEGIN = "-----BEGIN [A-Z0-9 ]"
_WEBHOOK = r"https://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/"
_BEARER = r"\b(?i:bearer|basic)[ \t]{1,4}"
_USER = r"://[^\x00-\x20/?#:@\x22\x27<>]"
_CURL = r"\b(?:curl|wget|http)[ \t]"
_ANY_PREFIX = rf"\b(?:{'|'.join(_PREFIXES)})"

SHAPES = (
    Shape("PRIVATE_KEY", _PEM, all_of, rb"[A-Za-z0-9+/=\s\\\"'>|,-]*+", _BEGIN),
    Shape("JWT", r"\beyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{6,}+", _jwt, rb"(?:\.?[A-Za-z0-9_-]++)*+", r"\beyJ[A-Za-z0-9_-]{8}[A-Za-z0-9_-]*\.[A-Za-z0-9_-]"),
    Shape("API_KEY", rf"{_ANY_PREFIX}{_RANDOM}", _token, rb"[A-Za-z0-9_-]*+", rf"{_ANY_PREFIX}[A-Za-z0-9_-]{{14}}"),
    *(Shape("API_KEY", pattern, _fixed) for pattern in _FIXED),
    Shape("API_KEY", rf"{_WEBHOOK}([A-Za-z0-9/_-]{{20,120}}+)", _inside, start=_WEBHOOK),
    Shape("API_KEY", rf"{_BEARER}([A-Za-z0-9._~+/=-]{{16,}}+)", _bearer, rb"[A-Za-z0-9._~+/=-]*+", rf"{_BEARER}[A-Za-z0-9._~+/=-]{{16}}"),
    Shape("PASSWORD", rf"{_USER}{{0,64}}+:([^\x00-\x20/?\x22\x27<>]{{1,128}})@", _url, start=rf"{_USER}*:[^\x00-\x20/?\x22\x27<>]+@"),
    Shape("PASSWORD", rf"{_CURL}[^\x00-\x1f|;]{{0,80}}?(?:-u|--user)[ =][\x22\x27]?[A-Za-z0-9_.-]{{1,64}}:([^\x00-\x20\x22\x27@]{{4,64}}+)", _inside, start=_CURL),
    Shape("PASSWORD", _PHRASE, _inside, start="(?i:passphrase)"),
    _given("PASSWORD", _password, _assigned("--?(?:password|passwd|pass|pwd)", "[ ]")),
    _given("PASSWORD", _password, _assigned(_NAMES)),
    _given("API_KEY", _key, _assigned(_KEYS, value=_TOKENS, least=12)),
    _given("API_KEY", _key, _assigned("--(?:token|api-key|secret)", "[ ]", _TOKENS, 12)),
)  # fmt: skip
