"""Passwords and keys told by their names: in code, settings, forms, messages, sentences and commands."""

import re

from ghostrouter.redact.kinds.credentials import digit_count, is_blank
from ghostrouter.redact.shape import Accept, Shape, any_word, group, in_word

# Names of passwords, in the languages of those who write them.
_PASSWORDS = (
    "psk|wpa key|wpa2 key|wifi key|network key|wlan-schlüssel|wlanschlüssel|password|passwd|passphrase|pass phrase|passcode|passwort|kennwort|pwd|passw|contraseña|contrasena|contrasenya"
    "|clave de acceso|mot de passe|motdepasse|mdp|senha|wachtwoord|parola|parolă|hasło|haslo|lösenord|passord"
    "|adgangskode|kodeord|salasana|lykilorð|heslo|jelszó|geslo|lozinka|zaporka|slaptažodis|parool|şifre|sifre"
    "|kata sandi|mật khẩu|пароль|пароля|парола|лозинка|κωδικός|κωδικος|סיסמה|סיסמא|كلمة المرور|كلمة السر|पासवर्ड"
    "|รหัสผ่าน|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호"
)
# Between a name and its value.
_IS = "is|was|ist|war|lautet|es|est|era|é|è|jest|är|er|je|bude|это|to|adalah|là|は|是|为|為|είναι|هي|है|คือ|입니다"
_DIGIT, _NO_DIGIT = re.compile(rb"\d"), re.compile(rb"[^0-9]")

_PROVIDERS = "mistral|cohere|together|azure|openai|anthropic|gemini|groq|deepseek|perplexity|openrouter|xai|replicate"
_STRONG_KEYS = (
    "(?:api|access|secret|private|auth|encryption|signing|master|account|subscription|shared|storage|client|service"
    f"|session|bot|deploy|license|webhook|hmac|jwt|aws|admin|bearer|user|app|root|sas|{_PROVIDERS})[ _.-]?(?:access[ _-]?)?(?:key|token|secret)"
)
_KEYS = (
    f"{_STRONG_KEYS}(?:_(?:base64|base|b64|hex|value|prod|production|dev|staging|live|test|primary|secondary))?|access[ _-]?key[ _-]?id"
    "|credentials?|secret|token|sharedaccesskey|accountkey|sharedaccesssignature|sig|bearer|authtoken|apikey|x-functions-key"
)
# Between the name and its value.
_QUOTE = r"(?:\\{0,3}[\x22\x27`])?"
# The name and the value are values of their own: of attributes, or of a list of variables.
_VALUED = r"(?:,|\\{1,3}[rn]|[ \t\r\n])[ \t]{0,24}\\{0,3}[\x22\x27]?(?i:value)\\{0,3}[\x22\x27]?[ \t]{0,4}[:=]"
_ASSIGNS = (
    r"(?:_?\d{1,2})?" + _QUOTE + r"[\])]?[ \t]{0,8}"
    r"(?:=>|:=|={1,2}|:|>|(?i:is|was|ist|lautet|es|est|\xc3[\xa9\xa8]|je|jest|er|\xc3\xa4r|\xe6\x98\xaf)[ :]|\xef\xbc\x9a|\xe6\x98\xaf|\xe3\x81\xaf|,"
    rf"|{_VALUED}|\xe2\x80[\x93\x94]|\xe2\x86\x92|->)"
    r"[ \t]{0,8}"
)
_VALUE = r"[^\x00-\x20\x22\x27`;,<>\\]"
_KEY_BYTE = r"[A-Za-z0-9+/_.~%$!*@-]"
_NO_PASSWORD = re.compile(
    rb"(?:true|false|none|null|nil|undefined|required|optional|string|str|text|hidden|changeme\?|bytes|int|varchar|default"
    rb"|password|passwort|secret|token|redacted|masked|example|placeholder|incorrect|invalid|correct|missing|expired|wrong)"
    rb"[.!?)\]}]*",
    re.IGNORECASE,
)
_NAME_PATH = re.compile(rb"[$@&*!]?[A-Za-z_]+(?:(?:\.|->|::|\?\.)[A-Za-z_]\w*)+[()\[\].]*|[A-Za-z]+(?:_[A-Za-z]+)+")
_VARIABLE = re.compile(
    rb"[$%]?[{<(\[]|\$[A-Za-z_{(]|%[sd(]|https?:|/|\\|\.{2,}|[*xX.\-_#]+$|data:|\d{1,4}$|enc\[", re.IGNORECASE
)
# Names that stand in code, where the value may be a name, too.
_OF_CODE = re.compile(rb"[_-]{0,2}pass|pw|[_.-]", re.IGNORECASE)
# A form's next field, or a sign in HTML.
_NEXT = re.compile(rb"&[A-Za-z0-9_.-]+=|&(?:amp|quot|lt|gt|#\d+);|&&")
_CLOSING = b".,:!?)]}|"
_CALLING = (b"(", b"[")  # what follows is a function's or a list's
_PARTING = (b" ", b"", b"\n", b";", b",", b"&")
_AROUND_VERB = b" \t\\\"'`0123456789_"
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_SIGN = re.compile(rb"[^A-Za-z0-9\x80-\xff._/-]")


def _password(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value that is a password, not code, a word or a variable. Prose asks for more signs than code."""
    text, (begin, end) = match.string, match.span("value")
    given, quote, value, closed = match.group("given", "quote", "value", "closed")
    parted = None if closed or b"&" not in value else _NEXT.search(value)
    if parted:
        value = value[: parted.start()]
        end, closed = begin + len(value), None
    if not quote and value[-1] in _CLOSING:
        value = value.rstrip(_CLOSING)
        end = begin + len(value)
    if len(value) < (4 if quote else 5) or text[end : end + 1] in _CALLING or b"(" in value:
        return None
    has_digit = _DIGIT.search(value) is not None
    if not has_digit and (_NO_PASSWORD.fullmatch(value) or _NAME_PATH.fullmatch(value)):
        return None
    if has_digit and _OF_CODE.match(text, match.start()) and _NAME_PATH.fullmatch(value):
        return None
    if _VARIABLE.match(value) and (not quote or not has_digit):
        return None
    if quote and not closed and not parted and text[match.end() : match.end() + 1] not in _PARTING:
        return None
    mixed = (has_digit or _SIGN.search(value) is not None) and _LETTER.search(value) is not None
    last = given.strip()[-1:]
    in_prose = last == b"," or (last not in b"=:" and given.strip(_AROUND_VERB)[:1].isalpha())
    if in_prose:
        private = mixed and has_digit and len(value) >= 6
    elif quote:
        private = mixed or bool(closed) or b":" not in given
    else:
        tight = given.endswith(b"=") or b">" in given
        private = mixed or (tight and len(value) >= 6) or (len(value) > 5 and value.isdigit())
    return (begin, end) if private else None


_LONG_RUN = re.compile(rb"[A-Za-z0-9+/]{12}")


def _key(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value with a long run of letters and digits, or with several digits."""
    text, begin = match.string, match.start("value")
    value = match["value"].rstrip(_CLOSING)
    end, digits = begin + len(value), digit_count(value)
    if len(value) < 12 or not digits or _VARIABLE.match(value) or text[end : end + 1] in _CALLING or b"(" in value:
        return None
    if not _LETTER.search(value) or _NAME_PATH.fullmatch(value) or is_blank(value):
        return None
    return (begin, end) if _LONG_RUN.search(value) or (len(value) >= 24 and digits >= 4) else None


_OTHER_KEY = re.compile(
    rb"(?:primary|foreign|public|pub|cache|sort|partition|row|object|idempotency|dedup|hot|short|lookup|group|bucket|routing"
    rb"|index|map|hash|commit|checksum|message|event|blob|unique|composite|natural|surrogate|s3|answer|license)[ _.-]?$",
    re.IGNORECASE,
)
_RANDOM_FORM = re.compile(rb"[0-9a-f]{32,}|[A-Za-z0-9_+/=-]{20,}", re.IGNORECASE)
_LONG, _MANY_DIGITS = 32, 6


def _is_random(value: bytes) -> bool:
    """Whether a value is drawn at random: many letters and digits that are no words."""
    cased = not value.islower() and not value.isupper()
    if digit_count(value) < 3 or not _RANDOM_FORM.fullmatch(value) or _NAME_PATH.fullmatch(value):
        return False
    return (cased or len(value) >= _LONG) and not is_blank(value)


def _random_value(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value drawn at random, unless the name means another kind of key."""
    text, begin = match.string, match.start("value")
    value = match["value"].rstrip(_CLOSING)
    if not _is_random(value):
        return None
    name = match.start() + (text[match.start() + 1 : match.start() + 4] == b"Key")
    return None if _OTHER_KEY.search(text, max(0, name - 16), name) else (begin, begin + len(value))


def _spaced_key(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value that is drawn at random, or has many digits, right behind the name of a key."""
    begin, value = match.start("value"), match["value"].rstrip(_CLOSING)
    many = digit_count(value) >= _MANY_DIGITS and not _NAME_PATH.fullmatch(value) and not is_blank(value)
    return (begin, begin + len(value)) if _LETTER.search(value) and (many or _is_random(value)) else None


def _code(match: "re.Match[bytes]") -> tuple[int, int] | None:
    return None if in_word(match.string, match.end()) else match.span(match.lastindex or 0)


def _quoted(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a secret of any characters between quotes."""
    begin, end = match.span("value")
    value = match["value"]
    if digit_count(value) < 2 or not _LETTER.search(value) or not _SIGN.search(value):
        return None
    return None if _VARIABLE.match(value) or is_blank(value) else (begin, end)


def _assigned(name: str, given: str = _ASSIGNS, value: str = _VALUE, least: int = 4) -> tuple[str, str]:
    """The pattern of a name, what assigns, and the value; and its opening."""
    name, quote = f"(?i:{name})", r"\\{0,3}[\x22\x27`]"
    padding = "={0,2}" if value == _KEY_BYTE else ""
    value_and_end = rf"(?P<value>{value}{{{least},256}}+{padding})(?P<closed>[\x22\x27`\\])?"
    whole = rf"{name}(?P<given>{given})(?P<quote>{quote})?{value_and_end}"
    return whole, rf"{name}(?:{given})(?:{quote})?{value}{{{least}}}"


# The rest of a token that is longer than the pattern.
_REST = rb"(?<=[A-Za-z0-9+/=_.~%$!*@-]{60})[A-Za-z0-9+/=_.~%$!*@-]*+"


def _assignment(kind: str, accept: Accept, assigned: tuple[str, str]) -> Shape:
    return Shape(kind, assigned[0], accept, b"" if kind == "PASSWORD" else _REST, assigned[1])


_PHRASE = (
    r"(?i:passphrase)" + _QUOTE + r"[ \t]{0,8}(?:=|:)[ \t]{0,8}\\{0,3}[\x22\x27]"
    r"([A-Za-z]{2,16}(?: [A-Za-z0-9]{1,16}){2,12})\\{0,3}[\x22\x27]"
)
# Sixteen letters in groups of four: passwords for applications, as mail services make them.
_GROUPS = rf"(?i:[_.-]?pass(?:word|wd)?|pwd|pw){_ASSIGNS}{_QUOTE}([a-z]{{4}}(?: [a-z]{{4}}){{3}})"
_BETWEEN_QUOTES = r"[^\x00-\x20\x22\x27\\]"
_QUOTED = (
    rf"(?i:{_KEYS}){_ASSIGNS}\\{{0,3}}[\x22\x27](?P<value>[^\x00-\x20\x22\x27`<>\\]{{16,256}}+)\\{{0,3}}[\x22\x27]"
)
# Short names, which mean other things, too: `_pass`, `pw`, `_key`, `appKey`, ` PAT`.
_SHORT_NAME = r"[_.-](?i:pass|pw|psw|auth)|\b(?i:pw)"
_SHORT_KEY = r"(?:\b|_)(?i:key|pat|salt|auth)|[a-z]Key"
# A code of a card, of a login.
_CODE = r"\b(?:(?i:cvv2?|cvc2?)(?i: code)?(?:[:=]| is) ?(\d{3,4})|(?i:pin|otp)(?i: code)?(?:[:=]| is) ?(\d{4,8}))"
_HEADER = r"(?i:authorization)" + _QUOTE + r"[ \t]{0,4}[:=,][ \t]{0,4}" + _QUOTE + r"(?:[A-Za-z-]{1,24}[ \t]{1,4}){0,2}"

# In a sentence, a list of variables or a statement, further from its name.
_WORDY = re.compile(
    rb"hash|policy|length|reset|manager|field|prompt|strength|encoding|algorithm|count|column|format", re.I
)
_NO_SECRET = re.compile(
    rb"\d{4}-\d\d|\d+(?:\.\d+)+|[0-9.]+[a-z]{1,2}\Z|sha\d|md5|utf-?\d|[a-z+]{2,8}://|[^@]+@[^@]+\.[a-z]+\Z", re.I
)
_SENTENCE_CLOSING = b".,:;!?)]}|"
_LEAST_PLAIN = 8  # characters of a password that has no sign, and letters of one case only


def _in_sentence(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept the first secret behind a word such as "is"."""
    text, words = match.string, match.start("words")
    for tells in _TELLS.finditer(text, words, match.end()):
        begin, value = tells.start(1), tells[1].rstrip(_SENTENCE_CLOSING)
        if _is_secret(value):
            return None if _WORDY.search(text, words, begin) else (begin, begin + len(value))
    return None


def _is_secret(value: bytes) -> bool:
    """Whether a value has letters and digits, and a sign, both cases or eight characters."""
    if len(value) < 6 or not digit_count(value) or b"(" in value:
        return False
    if len(value) < _LEAST_PLAIN and (value.islower() or value.isupper()) and not _SIGN.search(value):
        return False
    if not _LETTER.search(value) or _NAME_PATH.fullmatch(value):
        return False
    return not _VARIABLE.match(value) and not _NO_SECRET.match(value)


_MIXED_CASE = re.compile(rb"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[^0-9]*[0-9]")


def _behind_name(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value right behind the name that has digits and letters of both cases."""
    begin, value = match.start(1), match[1].rstrip(_SENTENCE_CLOSING)
    secret = len(value) >= _LEAST_PLAIN and _MIXED_CASE.match(value) and _is_secret(value)
    return (begin, begin + len(value)) if secret else None


def _random_in_sentence(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value drawn at random."""
    begin, value = match.start("value"), match["value"].rstrip(_SENTENCE_CLOSING)
    return (begin, begin + len(value)) if len(match["value"]) < _MOST and _is_random(value) else None


def _in_statement(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept what a statement says is a password, but for words that stand for one."""
    begin, value = match.start("value"), match["value"].rstrip(_SENTENCE_CLOSING)
    if not value or _NO_PASSWORD.fullmatch(value) or _VARIABLE.match(value):
        return None
    quoted = match.string[begin - 1 : begin] in (b"'", b'"')
    return (begin, begin + len(value)) if quoted or _DIGIT.search(value) or _SIGN.search(value) else None


_WORD = r"[A-Za-z0-9'.@_/\x80-\xdf-]"
_SPOKEN_VALUE = r"[^\x00-\x20\x22\x27`,&<>\\]"
_OPEN_QUOTE = r"\\{0,3}[\x22\x27`]"
_SAYS = rf"(?: ?(?::|=|->|\xe2\x80[\x93\x94]|\xe2\x86\x92)[ \t]{{0,4}}| {any_word(_IS)}[ \t:]{{1,4}})"
_MOST = 128
_TELLS = re.compile(rf"{_SAYS}(?:{_OPEN_QUOTE})?({_SPOKEN_VALUE}{{6,}}+)".encode("ascii"))
_GAP = r"[ \t\r\n]"
_USER = r"\b(?i:login|user|username|account|role)"
_NAME = r"(?i:password|passwd|pass|pwd|pw)"
_IDENTIFIED = r"\b(?i:identified (?:with [A-Za-z0-9_\x27\x22]{1,40} )?by (?:password )?)"


def _sentence(kind: str, name: str, words: int, accept: Accept, least: int) -> Shape:
    """A shape of a name, up to `words` other words, a word such as "is", and the value."""
    before_value = rf"{_SAYS}(?:{_OPEN_QUOTE})?"
    before = rf"{name}(?P<words>(?: {_WORD}{{1,20}}+){{1,{words}}}){before_value}"
    return Shape(
        kind,
        rf"{before}(?P<value>{_SPOKEN_VALUE}{{{least},{_MOST}}}+)",
        accept,
        opening=rf"{name} {_WORD}",
    )


# Among the arguments of a command.
_ARGUMENT_CLOSING = b".,:;!?)]}|`"


def _argument(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept an argument that is neither a number nor a variable."""
    begin, value = match.start(1), match[1].rstrip(_ARGUMENT_CLOSING)
    if len(value) < 4 or not _NO_DIGIT.search(value) or _NO_PASSWORD.fullmatch(value) or _VARIABLE.match(value):
        return None
    return begin, begin + len(value)


def _argument_with_digit(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept an argument with a digit: the option has other meanings, too."""
    return _argument(match) if _DIGIT.search(match[1]) else None


_ARGUMENTS = r"[^\x00-\x1f|;]"
_ARGUMENT = r"([^\x00-\x20\x22\x27|;<>]{4,64}+)"
_CURL = r"\b(?:curl|wget|http)[ \t]"
_MYSQL = r"\b(?:mysql(?:dump|admin|import|sh)?|mariadb(?:-dump)?|xtrabackup)[ \t]"
_LOGIN = r"\b(?:sshpass|docker login|podman login|helm registry login|mongo(?:sh|dump|restore)?|oc login|az login|twine upload|smbpasswd|winrs|psexec|kinit|nomachine|ipmitool)[ \t]"
_LDAP = r"\b(?:ldap(?:search|modify|add|delete|passwd|whoami)|redis-cli)[ \t]"
_SHARE = r"\bnet use [^\x00-\x20]{1,64} [^\x00-\x20]{1,128} "
_OPENSSL = r"\b(?:pass|passin|passout)[ =:]pass:"

SHAPES = (
    Shape("PASSWORD", _PHRASE, group, opening="(?i:passphrase)"),
    Shape("PASSWORD", _GROUPS, group),
    _assignment("PASSWORD", _password, _assigned("-(?:password|passwd|pass|pwd)|requirepass|masterauth", "[ ]")),
    _assignment("PASSWORD", _password, _assigned(any_word(_PASSWORDS))),
    _assignment("PASSWORD", _password, _assigned(_SHORT_NAME)),
    Shape("PASSWORD", rf"{any_word(_PASSWORDS)}(?P<given>{_ASSIGNS})(?P<quote>[\x22\x27])(?P<value>{_BETWEEN_QUOTES}{{4,128}}+)(?P<closed>[\x22\x27])", _password, opening=rf"{any_word(_PASSWORDS)}{_ASSIGNS}[\x22\x27]{_BETWEEN_QUOTES}{{4}}"),
    _assignment("API_KEY", _key, _assigned(_KEYS, value=_KEY_BYTE, least=12)),
    _assignment("API_KEY", _key, _assigned("--(?:token|api-key|secret)", "[ ]", _KEY_BYTE, 12)),
    _assignment("API_KEY", _random_value, _assigned(_SHORT_KEY, value=_KEY_BYTE, least=20)),
    _assignment("API_KEY", _random_value, (rf"{_HEADER}(?P<value>{_KEY_BYTE}{{20,256}}+={{0,2}})", rf"{_HEADER}{_KEY_BYTE}{{20}}")),
    Shape("API_KEY", rf"(?i:{_STRONG_KEYS}|token) (?P<value>{_KEY_BYTE}{{20,256}}+={{0,2}})", _spaced_key, _REST, opening=rf"(?i:{_STRONG_KEYS}|token) {_KEY_BYTE}{{20}}"),
    Shape("PASSWORD", _CODE, _code),
    Shape("API_KEY", _QUOTED, _quoted, opening=rf"(?i:{_KEYS}){_ASSIGNS}\\{{0,3}}[\x22\x27][^\x00-\x20\x22\x27`<>\\]{{16}}"),
    Shape("PASSWORD", rf"{any_word(_PASSWORDS)} ({_SPOKEN_VALUE}{{8,128}}+)", _behind_name, opening=rf"{any_word(_PASSWORDS)} {_SPOKEN_VALUE}{{8}}"),
    _sentence("PASSWORD", any_word(_PASSWORDS), 7, _in_sentence, 6),
    _sentence("API_KEY", f"(?i:{_STRONG_KEYS})", 9, _random_in_sentence, 20),
    Shape(
        "PASSWORD",
        rf"{_USER}{_GAP}{{1,8}}[^\x00-\x20]{{1,64}}{_GAP}{{1,8}}(?i:with |encrypted ){{0,2}}{_NAME}{_GAP}{{1,8}}"
        rf"[\x22\x27]?(?P<value>{_SPOKEN_VALUE}{{4,128}}+)",
        _in_statement,
        opening=rf"{_USER}{_GAP}+[^\x00-\x20]+{_GAP}+(?i:with |encrypted )*{_NAME}{_GAP}",
    ),
    Shape("PASSWORD", rf"{_IDENTIFIED}[\x22\x27](?P<value>[^\x00-\x1f\x22\x27\\]{{4,128}}+)", _in_statement, opening=_IDENTIFIED),
    Shape("PASSWORD", rf"{_CURL}{_ARGUMENTS}{{0,80}}?(?:-u|--user)[ =][\x22\x27]?[A-Za-z0-9_.-]{{1,64}}:([^\x00-\x20\x22\x27@]{{4,64}}+)", _argument, opening=_CURL),
    Shape("PASSWORD", rf"{_MYSQL}{_ARGUMENTS}{{0,80}}? -p[\x22\x27]?{_ARGUMENT}", _argument, opening=_MYSQL),
    Shape("PASSWORD", rf"{_LOGIN}{_ARGUMENTS}{{0,80}}?-p[ =]?[\x22\x27]?{_ARGUMENT}", _argument_with_digit, opening=_LOGIN),
    Shape("PASSWORD", rf"{_LDAP}{_ARGUMENTS}{{0,80}}? -[aw] [\x22\x27]?{_ARGUMENT}", _argument, opening=_LDAP),
    Shape("PASSWORD", rf"{_SHARE}{_ARGUMENT}", _argument_with_digit, opening=r"\bnet use "),
    Shape("PASSWORD", rf"{_OPENSSL}{_ARGUMENT}", _argument, opening=_OPENSSL),
)  # fmt: skip
