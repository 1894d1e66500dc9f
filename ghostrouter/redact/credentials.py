"""Keys, tokens and passwords.

Prefixes: the providers' documentation, GitHub's list of secret scanning partners, gitleaks' and detect-secrets' rules.
"""

import re

from ghostrouter.redact.shape import WORD_BYTES, Accept, Shape, all_of, in_word

_RUN = re.compile(rb"[A-Za-z0-9+/]+")
_DIGIT = re.compile(rb"\d")
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
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
    "[rp]k_live_", "[rp]k_test_", "whsec_", "xox[abeoprs]-", "xapp-", "shp(?:at|ca|pa|ss|ua|tka)_", "sq0[a-z]{3}-", "do[opr]_v1_",
    "lin_api_", "ntn_", "secret_", "figd_", "PMAK-", "hvs\\.", "hvb\\.", "dp\\.(?:[cps]t|sa|scim|audit)\\.(?:[a-z0-9_-]{2,35}\\.)?", "sntryu_", "sbp_",
    "sb_secret_", "glsa_", "nf[pc]_", "fo1_", "pscale_[a-z]{2,6}_", "HRKU-", "AGE-SECRET-KEY-1", "key-",
    "sess-", "x(?:key|smtp)sib-", "pul-", "access-(?:production|sandbox|development)-", "bkua_", "sq[apu]_", "CFPAT-", "tfp_", "rdme_", "ico-", "pnu_", "fio-u-",
    "rzp_(?:live|test)_", "(?:APP_USR|FLWSECK(?:_TEST)?)-", "NR(?:AK|II|AA|BR|RA|SP|JS)-", "amzn1\\.", "ddp_", "CCIPAT_", "sl\\.[Bu]", "up_", "pylf_v\\d_", "BSA",
    "EAA", "ya29\\.", "1//0", "LTAI", "AKID", "SG\\.[A-Za-z0-9_-]{22}\\.", "tskey-[a-z]{3,8}-", "rnd_", "vercel_", "phx_", "phc_", "re_",
)  # fmt: skip
# Prefix -> what it opens, of which the rest is base64.
_BASE64_PREFIXES = (
    "ABSK",
    "bedrock-api-key-",
    "fm[12][ar]?_",
    "sntrys_",
    "glc_",
    "ops_eyJ",
    "(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|AQoDYXdz)",
    "cmVmdGtu",
)
_RANDOM = r"[A-Za-z0-9_-]{14,1000}+"  # what is longer is swallowed


def _token(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Something drawn at random, and no words with dashes between them."""
    rest = match.string[match.start() : min(match.end(), match.start() + _LOOK)]
    longest = max(_RUN.findall(rest), key=len, default=b"")
    digits = drawn_digits(rest)
    mixed = not longest.islower() and not longest.isupper() and not longest.isdigit()
    drawn = (digits >= 2 and len(longest) >= 10) or (len(longest) >= 16 and mixed) or len(longest) >= 20 or digits >= 6
    begin, end = match.span()
    return (begin, end) if drawn and not is_blank(rest) else (min(end, begin + _LOOK),) * 2


def drawn_digits(token: bytes) -> int:
    return len(token) - len(token.translate(None, b"0123456789"))


def is_blank(token: bytes) -> bool:
    """Stars, x after x: nothing that is a secret."""
    return len(set(token[len(token) // 2 :].lower())) <= 2


_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FIXED = (
    r"\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA|AIPA)[A-Z2-7]{16}",
    r"\b(?:AC|SK)[0-9a-f]{32}",  # Twilio
    rf"\b(?:pat-[a-z]{{2,3}}\d|sdk|mob|api)-{_UUID}",  # HubSpot, LaunchDarkly
    r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}",  # Airtable
    r"\baccess_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",  # Braintree
    r"\b[0-9a-f]{32}\.[A-Za-z0-9]{16}",  # Zhipu
    r"\bGOOG[A-Z0-9]{20,58}",  # Google's keys for storage
    r"\bcio[A-Za-z0-9]{32}",  # crates.io
    r"\b(?:live|test)_[A-Za-z0-9]{30}",  # Mollie
    r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}",  # Terraform
    r"\bdt0[cs]\d\d\.[A-Z0-9]{8,24}\.[A-Z0-9]{64}",  # Dynatrace
    r"\b[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    r"\b[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}",  # Azure client secrets
    r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",  # Discord
)


def _fixed(match: "re.Match[bytes]") -> tuple[int, int] | None:
    return None if in_word(match.string, match.end()) or is_blank(match[0]) else match.span()


def _with_before(count: int) -> Accept:
    """What was matched, together with as many letters and digits before it."""

    def accept(match: "re.Match[bytes]") -> tuple[int, int] | None:
        text, (at, end) = match.string, match.span()
        begin = at - count
        if begin < 0 or not text[begin:at].isalnum() or (begin and text[begin - 1] in WORD_BYTES):
            return None
        return None if end < len(text) and text[end] in WORD_BYTES else (begin, end)

    return accept


_ACCOUNT = re.compile(rb"\bAC[0-9a-f]{32}[\x22\x27,: ]{1,5}\Z")
_ACCOUNT_BYTES = 40  # with what stands between the two, and a byte before


def _of_an_account(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Twilio's token, behind the account's number."""
    text, (begin, end) = match.string, match.span()
    if in_word(text, end) or not _ACCOUNT.search(text, max(0, begin - _ACCOUNT_BYTES), begin):
        return None
    return begin, end


def inside(match: "re.Match[bytes]") -> tuple[int, int]:
    """What its group matched."""
    return match.span(1)


# A name in capitals that stands for a password, or a variable put in.
_STANDS = re.compile(rb"[A-Z_]*(?:PASS(?:WORD|WD)?|PWD|PW|SECRET|TOKEN)|[*xX.]+|[$%]?[{<(\[].*|\$[A-Za-z_].*|%[sd].*")


def _url(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """The password of user:password@host."""
    begin, end = match.span(1)
    return None if _STANDS.fullmatch(match.string, begin, end) else (begin, end)


def _bearer(match: "re.Match[bytes]") -> tuple[int, int] | None:
    begin, end = match.span(1)
    token = match.string[begin : min(end, begin + _LOOK)]
    random = _DIGIT.search(token) and _LETTER.search(token) and not is_blank(token)
    return (begin, end) if random else (begin + len(token),) * 2


def _jwt(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """A header is no longer than that."""
    begin, end = match.span()
    return (begin, end) if match.string.find(b".", begin, begin + _HEADER) > 0 else (min(end, begin + _HEADER),) * 2


_LABEL = "(?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?"
_PEM = (
    r"-----BEGIN " + _LABEL + r"-----(?:\\{1,3}[rn]|[\x09-\x0d \x22\x27+>|,])+"
    r"(?:[A-Za-z-]{2,20}: [ -\x5b\x5d-\x7e]{1,80}(?:\\{1,3}[rn]|[\x09-\x0d \x22\x27+>|,])+){0,4}[A-Za-z0-9+/=]{12,}+"
)

_BEGIN = "-----BEGIN [A-Z0-9 ]"
_WEBHOOK = r"https://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/"
_BEARER = r"\b(?i:bearer|basic)[ \t]{1,4}"
_USER = r"://[^\x00-\x20/?#:@\x22\x27<>]"
_LINES = r"(?:\\{1,3}[rn]|[\r\n])"
_PUTTY = rf"Private-Lines: \d{{1,3}}{_LINES}{{1,4}}([A-Za-z0-9+/=]{{12,}}+)"
_OFFICE = r"https://[a-z0-9-]{1,40}\.webhook\.office\.com/webhookb2/"
_TELEGRAM = r"\b(?:bot)?(\d{8,10}:AA[A-Za-z0-9_-]{33})"
_AWS_PAIR = r"\b(?:AKIA|ASIA)[A-Z2-7]{16}[ ,;:|/\x22\x27\t]{1,5}[A-Za-z0-9+/]{40}"
_TWILIO = r"\b[0-9a-f]{32}"
# Keys of Azure's services know themselves by what stands at a place of theirs.
_AZURE, _DEVOPS = r"JQQJ99[A-Za-z0-9]{26}", r"AZDO[A-Za-z0-9]{4}"
_ANY_BASE64 = rf"\b(?:{'|'.join(_BASE64_PREFIXES)})"
_ANY_PREFIX = rf"\b(?:{'|'.join(_PREFIXES)})"

SHAPES = (
    Shape("PRIVATE_KEY", _PEM, all_of, rb"[A-Za-z0-9+/=\s\\\"'>|,-]*+", _BEGIN),
    Shape("JWT", r"\beyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{6,}+", _jwt, rb"(?:\.?[A-Za-z0-9_-]++)*+", r"\beyJ[A-Za-z0-9_-]{8}[A-Za-z0-9_-]*\.[A-Za-z0-9_-]"),
    Shape("API_KEY", rf"{_ANY_PREFIX}{_RANDOM}", _token, rb"[A-Za-z0-9_-]*+", rf"{_ANY_PREFIX}[A-Za-z0-9_-]{{14}}"),
    *(Shape("API_KEY", pattern, _fixed) for pattern in _FIXED),
    Shape("API_KEY", rf"{_WEBHOOK}([A-Za-z0-9/_-]{{20,120}}+)", inside, start=_WEBHOOK),
    Shape("API_KEY", rf"{_BEARER}([A-Za-z0-9._~+/=-]{{16,}}+)", _bearer, rb"[A-Za-z0-9._~+/=-]*+", rf"{_BEARER}[A-Za-z0-9._~+/=-]{{16}}"),
    Shape("API_KEY", rf"{_OFFICE}([A-Za-z0-9/@-]{{20,200}}+)", inside, start=_OFFICE),
    Shape("API_KEY", _TELEGRAM, inside),
    Shape("API_KEY", _AWS_PAIR, _fixed),
    Shape("API_KEY", rf"AC[0-9a-f]{{32}}[\x22\x27,: ]{{1,5}}{_TWILIO}", _of_an_account, core=_TWILIO),
    Shape("API_KEY", rf"{_ANY_BASE64}[A-Za-z0-9+/_=%,-]{{40,1000}}+", all_of, rb"[A-Za-z0-9+/_=%,-]*+", rf"{_ANY_BASE64}[A-Za-z0-9+/_=%-]{{40}}"),
    Shape("API_KEY", rf"[A-Za-z0-9]{{52}}{_AZURE}", _with_before(52), core=_AZURE),
    Shape("API_KEY", rf"[A-Za-z0-9]{{76}}{_DEVOPS}", _with_before(76), core=_DEVOPS),
    Shape("PRIVATE_KEY", _PUTTY, inside, rb"[A-Za-z0-9+/=\s\\]*+", r"Private-Lines: \d"),
    Shape("PASSWORD", rf"{_USER}{{0,64}}+:([^\x00-\x20/?\x22\x27<>]{{1,128}})@", _url, start=rf"{_USER}*:[^\x00-\x20/?\x22\x27<>]+@"),
)  # fmt: skip
