"""Keys and tokens, recognised by their format, and passwords in URLs.

Forms: the providers' documentation, GitHub's list of secret scanning partners, gitleaks' and detect-secrets' rules.
"""

import re

from ghostrouter.redact.shape import WORD_BYTES, Accept, Shape, group, in_word, whole

# How a credential goes on behind its prefix: drawn from letters, digits, "_" and "-"; or base64. Else a pattern.
_RANDOM, _BASE64 = "random", "base64"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# The table: whose credential it is, its prefix (a pattern, at the start of a word), how it goes on.
CREDENTIALS: tuple[tuple[str, str, str], ...] = (
    # models
    ("OpenAI, Anthropic, DeepSeek, OpenRouter, Stripe", "sk[-_]|sess-", _RANDOM),
    ("Google", "AIza|AQ\\.Ab|GOCSPX-|ya29\\.|1//0", _RANDOM),
    ("xAI, Groq, Perplexity, Cerebras, Cohere", "xai-|gsk_|pplx-|csk-|co-", _RANDOM),
    ("Hugging Face, Replicate, Fireworks, NVIDIA", "hf_|api_org_|r8_|fw_|nvapi-", _RANDOM),
    ("Together, Tavily, Voyage, Jina, Databricks", "tgp_v1_|tvly-|pa-|jina_|dapi", _RANDOM),
    ("LangSmith, Langfuse, Pinecone, Firecrawl, Mem0", "lsv2_[ps][tk]_|pk-lf-|pcsk_|fc-|m0-", _RANDOM),
    ("E2B, Apify, Browserbase, Cal, Context7, Brave", "e2b_|apify_api_|(?:cal|bb)_live_|ctx7sk[-_]|BSA", _RANDOM),
    ("Amazon Bedrock", "ABSK|bedrock-api-key-", _BASE64),
    ("Zhipu", "[0-9a-f]{32}\\.", "[A-Za-z0-9]{16}"),
    # code and packages
    ("GitHub, GitLab", "gh[pousr]_|github_pat_|gl[a-z]{2,6}-", _RANDOM),
    ("Atlassian", "ATATT3|ATBB|ATCTT3", _RANDOM),
    ("npm, PyPI, RubyGems, NuGet, Clojars", "npm_|pypi-|rubygems_|oy2|CLOJARS_", _RANDOM),
    ("Docker, Sourcegraph, CircleCI, Buildkite", "dckr_[po]at_|sgp_|CCIPAT_|bkua_", _RANDOM),
    ("JFrog", "AKCp", _RANDOM),
    ("JFrog", "cmVmdGtu", _BASE64),
    ("crates.io", "cio", "[A-Za-z0-9]{32}"),
    # clouds
    ("AWS", "(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA|AIPA)", "[A-Z2-7]{16}"),
    ("AWS", "(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|AQoDYXdz)", _BASE64),
    ("AWS, Alibaba, Tencent, Volcano, Yandex", "amzn1\\.|LTAI|AKID|AKLT|AQVN", _RANDOM),
    ("Google Cloud Storage", "GOOG", "[A-Z0-9]{20,58}"),
    ("Azure", "[A-Za-z0-9_~.]{3}[78]Q~", "[A-Za-z0-9_~.-]{31,34}"),
    ("DigitalOcean, Heroku, Netlify, Render, Vercel", "do[opr]_v1_|HRKU-|nf[pc]_|rnd_|vercel_", _RANDOM),
    ("Fly", "fo1_", _RANDOM),
    ("Fly", "fm[12][ar]?_", _BASE64),
    ("Supabase, PlanetScale, Upstash, Tailscale", "sbp_|sb_secret_|pscale_[a-z]{2,6}_|up_|tskey-[a-z]{3,8}-", _RANDOM),
    ("HashiCorp Vault, Pulumi, Prefect, Infracost", "hv[sb]\\.|pul-|pnu_|ico-", _RANDOM),
    ("HashiCorp Terraform", "[A-Za-z0-9]{14}\\.atlasv1\\.", "[A-Za-z0-9_-]{60,70}"),
    ("Doppler", "dp\\.(?:[cps]t|sa|scim|audit)\\.(?:[a-z0-9_-]{2,35}\\.)?", _RANDOM),
    ("1Password", "ops_eyJ", _BASE64),
    ("age", "AGE-SECRET-KEY-1", _RANDOM),
    # payment
    ("Stripe, Svix, Square", "[rp]k_(?:live|test)_|whsec_|sq0[a-z]{3}-|sq[apu]_", _RANDOM),
    ("Shopify, Plaid, Razorpay", "shp(?:at|ca|pa|ss|ua|tka)_|access-(?:production|sandbox|development)-|rzp_(?:live|test)_", _RANDOM),
    ("Mercado Pago, Flutterwave, EasyPost, Shippo, Duffel", "(?:APP_USR|FLWSECK(?:_TEST)?)-|EZ[AT]K|(?:shippo|duffel)_(?:live|test)_", _RANDOM),
    ("Braintree", "access_token\\$(?:production|sandbox)\\$[0-9a-z]{16}\\$", "[0-9a-f]{32}"),
    ("Mollie", "(?:live|test)_", "[A-Za-z0-9]{30}"),
    # messages
    ("Slack", "xox[abeoprs]-|xapp-", _RANDOM),
    ("Facebook", "EAA", _RANDOM),
    ("Discord", "[MNO][A-Za-z0-9_-]{23,27}\\.[A-Za-z0-9_-]{6}\\.", "[A-Za-z0-9_-]{27,40}"),
    ("Twilio", "(?:AC|SK)", "[0-9a-f]{32}"),
    ("SendGrid, Brevo, Mailgun, Resend, MailerSend", "SG\\.[A-Za-z0-9_-]{22}\\.|x(?:key|smtp)sib-|key-|re_|mlsn\\.", _RANDOM),
    ("Mailchimp", "[0-9a-f]{32}-us", "\\d{1,2}"),
    # tools
    ("Linear, Notion, Figma, Postman, Readme", "lin_api_|ntn_|secret_|figd_|PMAK-|rdme_", _RANDOM),
    ("Sentry, Grafana, New Relic, PostHog, Datadog", "sntryu_|glsa_|NR(?:AK|II|AA|BR|RA|SP|JS)-|ph[cx]_|ddp_", _RANDOM),
    ("Sentry, Grafana", "sntrys_|glc_", _BASE64),
    ("Contentful, Typeform, Frame.io, Adobe, Mapbox", "CFPAT-|tfp_|fio-u-|p8e-|sk\\.eyJ", _RANDOM),
    ("Dropbox, Logfire, Branch, Elastic, Settlemint", "sl\\.[Bu]|pylf_v\\d_|key_live_|esecret_|sm_[aps]at_", _RANDOM),
    ("HubSpot, LaunchDarkly", "(?:pat-[a-z]{2,3}\\d|sdk|mob|api)-", _UUID),
    ("Airtable", "pat[A-Za-z0-9]{14}\\.", "[0-9a-f]{64}"),
    ("Dynatrace", "dt0[cs]\\d\\d\\.[A-Z0-9]{8,24}\\.", "[A-Z0-9]{64}"),
)  # fmt: skip

_RUN = re.compile(rb"[A-Za-z0-9+/]+")
_DIGIT, _LETTER = re.compile(rb"\d"), re.compile(rb"[A-Za-z\x80-\xff]")
_LOOK = 512  # bytes of a token that are looked at
_HEADER = 1000  # bytes of a JWT's header, at most


def digit_count(token: bytes) -> int:
    """How many digits there are."""
    return len(token) - len(token.translate(None, b"0123456789"))


def is_blank(token: bytes) -> bool:
    """Whether it is stars, or x after x: no secret."""
    return len(set(token[len(token) // 2 :].lower())) <= 2


def _random(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept what was drawn at random; no words with dashes between them."""
    token = match.string[match.start() : min(match.end(), match.start() + _LOOK)]
    longest = max(_RUN.findall(token), key=len, default=b"")
    digits = digit_count(token)
    mixed = not longest.islower() and not longest.isupper() and not longest.isdigit()
    drawn = (digits >= 2 and len(longest) >= 10) or (len(longest) >= 16 and mixed) or len(longest) >= 20 or digits >= 6
    begin, end = match.span()
    return (begin, end) if drawn and not is_blank(token) else (min(end, begin + _LOOK),) * 2


def _exact(match: "re.Match[bytes]") -> tuple[int, int] | None:
    return None if in_word(match.string, match.end()) or is_blank(match[0]) else match.span()


def _with_before(count: int) -> Accept:
    """Accept a match together with the `count` letters and digits before it."""

    def accept(match: "re.Match[bytes]") -> tuple[int, int] | None:
        text, (at, end) = match.string, match.span()
        begin = at - count
        if begin < 0 or not text[begin:at].isalnum() or (begin and text[begin - 1] in WORD_BYTES):
            return None
        return None if end < len(text) and text[end] in WORD_BYTES else (begin, end)

    return accept


_TWILIO_ACCOUNT = re.compile(rb"\bAC[0-9a-f]{32}[\x22\x27,: ]{1,5}\Z")
_TWILIO_ACCOUNT_BYTES = 40  # with what stands between account and token, and a byte before


def _of_twilio_account(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a token behind the number of its account."""
    text, (begin, end) = match.string, match.span()
    if in_word(text, end) or not _TWILIO_ACCOUNT.search(text, max(0, begin - _TWILIO_ACCOUNT_BYTES), begin):
        return None
    return begin, end


# A name in capitals that stands for a password, or a variable put in.
_PLACE_OF_PASSWORD = re.compile(
    rb"[A-Z_]*(?:PASS(?:WORD|WD)?|PWD|PW|SECRET|TOKEN)|[*xX.]+|[$%]?[{<(\[].*|\$[A-Za-z_].*|%[sd].*"
)


def _url(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept the password of user:password@host."""
    begin, end = match.span(1)
    return None if _PLACE_OF_PASSWORD.fullmatch(match.string, begin, end) else (begin, end)


def _bearer(match: "re.Match[bytes]") -> tuple[int, int] | None:
    begin, end = match.span(1)
    token = match.string[begin : min(end, begin + _LOOK)]
    random = _DIGIT.search(token) and _LETTER.search(token) and not is_blank(token)
    return (begin, end) if random else (begin + len(token),) * 2


def _jwt(match: "re.Match[bytes]") -> tuple[int, int] | None:
    begin, end = match.span()
    return (begin, end) if match.string.find(b".", begin, begin + _HEADER) > 0 else (min(end, begin + _HEADER),) * 2


def _prefixes(goes_on: str) -> str:
    return rf"\b(?:{'|'.join(prefix for _, prefix, how in CREDENTIALS if how == goes_on)})"


_BREAK = r"(?:\\{1,3}[rn]|[\x09-\x0d \x22\x27+>|,])+"
_LABEL = "(?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?"
_PEM = rf"-----BEGIN {_LABEL}-----{_BREAK}(?:[A-Za-z-]{{2,20}}: [ -\x5b\x5d-\x7e]{{1,80}}{_BREAK}){{0,4}}[A-Za-z0-9+/=]{{12,}}+"
_PUTTY = r"Private-Lines: \d{1,3}(?:\\{1,3}[rn]|[\r\n]){1,4}([A-Za-z0-9+/=]{12,}+)"
_JWT = r"\beyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{6,}+"
_WEBHOOK = r"https://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/"
_OFFICE = r"https://[a-z0-9-]{1,40}\.webhook\.office\.com/webhookb2/"
_BEARER = r"\b(?i:bearer|basic)[ \t]{1,4}"
_TELEGRAM = r"\b(?:bot)?(\d{8,10}:AA[A-Za-z0-9_-]{32,33})"
_AWS_PAIR = r"\b(?:AKIA|ASIA)[A-Z2-7]{16}[ ,;:|/\x22\x27\t]{1,5}[A-Za-z0-9+/]{40}"
_TWILIO = r"\b[0-9a-f]{32}"
# Keys of Azure's services are recognised by a fixed text in the middle.
_AZURE, _DEVOPS = r"JQQJ99[A-Za-z0-9]{26}", r"AZDO[A-Za-z0-9]{4}"
_USER = r"://[^\x00-\x20/?#:@\x22\x27<>]"
_URL = rf"{_USER}{{0,64}}+:([^\x00-\x20/?\x22\x27<>]{{1,128}})@"

SHAPES = (
    Shape("PRIVATE_KEY", _PEM, whole, rb"[A-Za-z0-9+/=\s\\\"'>|,-]*+", "-----BEGIN [A-Z0-9 ]"),
    Shape("PRIVATE_KEY", _PUTTY, group, rb"[A-Za-z0-9+/=\s\\]*+", r"Private-Lines: \d"),
    Shape("JWT", _JWT, _jwt, rb"(?:\.?[A-Za-z0-9_-]++)*+", r"\beyJ[A-Za-z0-9_-]{8}[A-Za-z0-9_-]*\.[A-Za-z0-9_-]"),
    Shape("API_KEY", rf"{_prefixes(_RANDOM)}[A-Za-z0-9_-]{{14,1000}}+", _random, rb"[A-Za-z0-9_-]*+", rf"{_prefixes(_RANDOM)}[A-Za-z0-9_-]{{14}}"),
    Shape("API_KEY", rf"{_prefixes(_BASE64)}[A-Za-z0-9+/_=%,-]{{40,1000}}+", whole, rb"[A-Za-z0-9+/_=%,-]*+", rf"{_prefixes(_BASE64)}[A-Za-z0-9+/_=%-]{{40}}"),
    *(Shape("API_KEY", rf"\b{prefix}{form}", _exact) for _, prefix, form in CREDENTIALS if form not in (_RANDOM, _BASE64)),
    Shape("API_KEY", rf"{_WEBHOOK}([A-Za-z0-9/_-]{{20,120}}+)", group, opening=_WEBHOOK),
    Shape("API_KEY", rf"{_OFFICE}([A-Za-z0-9/@-]{{20,200}}+)", group, opening=_OFFICE),
    Shape("API_KEY", rf"{_BEARER}([A-Za-z0-9._~+/=-]{{16,}}+)", _bearer, rb"[A-Za-z0-9._~+/=-]*+", rf"{_BEARER}[A-Za-z0-9._~+/=-]{{16}}"),
    Shape("API_KEY", _TELEGRAM, group),
    Shape("API_KEY", _AWS_PAIR, _exact),
    Shape("API_KEY", rf"AC[0-9a-f]{{32}}[\x22\x27,: ]{{1,5}}{_TWILIO}", _of_twilio_account, core=_TWILIO),
    Shape("API_KEY", rf"[A-Za-z0-9]{{52}}{_AZURE}", _with_before(52), core=_AZURE),
    Shape("API_KEY", rf"[A-Za-z0-9]{{76}}{_DEVOPS}", _with_before(76), core=_DEVOPS),
    Shape("PASSWORD", _URL, _url, opening=rf"{_USER}*:[^\x00-\x20/?\x22\x27<>]+@"),
)  # fmt: skip
