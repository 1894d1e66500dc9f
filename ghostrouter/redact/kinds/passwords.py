"""Passwords and keys, recognised by the name before them: in code, settings, forms, messages, sentences and commands."""

import re

from ghostrouter.redact.kinds.credentials import digit_count, is_blank
from ghostrouter.redact.shape import WORD_ENDS, Accept, Shape, any_word, group

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
_QUOTE = r"(?:\\{0,3}[\x22\x27`])?+"
# The name and the value are values of their own: of attributes, or of a list of variables.
_VALUED = r"(?:,|\\{1,3}[rn]|[ \t\r\n])[ \t]{0,24}\\{0,3}[\x22\x27]?(?i:value)\\{0,3}[\x22\x27]?[ \t]{0,4}[:=]"
_IS_SHORT = any_word("is|was|ist|lautet|es|est|é|è|je|jest|er|är")
_ASSIGNS = (
    rf"(?:_?\d{{1,2}})?+{_QUOTE}[\])]?+(?:[ \t]{{0,8}}+"
    rf"(?:=>|==|=|:=|:|>|,|->|\xe2\x80[\x93\x94]|\xe2\x86\x92|\xef\xbc\x9a|\xe6\x98\xaf|\xe3\x81\xaf|{_IS_SHORT}[ :])|{_VALUED})"
    r"[ \t]{0,8}+"
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
_WORD_OR_NAME = re.compile(
    rb"%b|(?:%b|%b)\Z" % (_VARIABLE.pattern, _NO_PASSWORD.pattern, _NAME_PATH.pattern), re.IGNORECASE
)
# Names that stand in code, where the value may be a name, too.
_OF_CODE = re.compile(rb"[_-]{0,2}pass|pw|[_.-]", re.IGNORECASE)
# A form's next field, or a sign in HTML.
_NEXT = re.compile(rb"&[A-Za-z0-9_.-]+=|&(?:amp|quot|lt|gt|#\d+);|&&")
_CLOSING = b".,:!?)]}|"
_LEAST_MIXED = 6  # characters of a password in a sentence
_CALLING = (b"(", b"[")  # what follows is a function's or a list's
_PARTING = (b" ", b"", b"\n", b";", b",", b"&")
_AROUND_VERB = b" \t\\\"'`0123456789_"
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_SIGN = re.compile(rb"[^A-Za-z0-9\x80-\xff._/-]")


def _password(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a value that is a password, not code, a word or a variable. Prose asks for more signs than code."""
    text, begin = match.string, match.start("value")
    given, quote, value, closed = match.group("given", "quote", "value", "closed")
    parted = None if closed or b"&" not in value else _NEXT.search(value)
    if parted:
        value, closed = value[: parted.start()], None
    if not quote and value[-1] in _CLOSING:
        value = value.rstrip(_CLOSING)
    if quote and not closed and not parted and text[match.end() : match.end() + 1] not in _PARTING:
        return None
    return (begin, begin + len(value)) if _is_password(match, begin, given, value, quote, closed) else None


def _option(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept the password of an option. Behind two hyphens, the option's name starts no sentence."""
    at, begin = match.start(), match.start("value")
    return _password(match) or ((begin, begin) if match.string[at - 1 : at] == b"-" else None)


def _quoted_password(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a password between quotes, which may have any sign; four groups of letters; or any other password."""
    form = match.lastgroup
    if form not in ("quoted", "groups"):
        return _password(match)
    begin, end = match.span(form)
    private = form == "groups" or _is_password(match, begin, match["given"], match[form], b"'", b"'")
    return (begin, end) if private else None


def _is_password(
    match: "re.Match[bytes]", begin: int, given: bytes, value: bytes, quote: bytes | None, closed: bytes | None
) -> bool:
    size, end = len(value), begin + len(value)
    if size < (4 if quote else 5) or b"(" in value or match.string[end : end + 1] in _CALLING:
        return False
    plain = value.isalnum()
    if plain:
        has_digit = not value.isalpha()
        mixed = has_digit and not value.isdigit()
    else:
        has_digit = _DIGIT.search(value) is not None
        mixed = (has_digit or _SIGN.search(value) is not None) and _LETTER.search(value) is not None
    if not (plain and mixed) and _stands_for_value(match, value, has_digit, bool(quote)):
        return False
    if mixed and has_digit and size >= _LEAST_MIXED:
        return True
    last = given.strip()[-1:]
    if last == b"," or (last not in b"=:" and given.strip(_AROUND_VERB)[:1].isalpha()):  # prose
        return False
    if quote:
        return mixed or bool(closed) or b":" not in given
    tight = given.endswith(b"=") or b">" in given
    return mixed or (tight and size >= _LEAST_MIXED) or (size > 5 and value.isdigit())


def _stands_for_value(match: "re.Match[bytes]", value: bytes, has_digit: bool, quoted: bool) -> bool:
    """Whether a value is a word, a name in code or a variable."""
    if not has_digit:
        return _WORD_OR_NAME.match(value) is not None
    if not quoted and _VARIABLE.match(value):
        return True
    return bool(_OF_CODE.match(match.string, match.start()) and _NAME_PATH.fullmatch(value))


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


def _quoted(match: "re.Match[bytes]") -> tuple[int, int] | None:
    """Accept a secret of any characters between quotes."""
    begin, end = match.span("value")
    value = match["value"]
    if digit_count(value) < 2 or not _LETTER.search(value) or not _SIGN.search(value):
        return None
    return None if _VARIABLE.match(value) or is_blank(value) else (begin, end)


# A value's pattern, and the pattern of its beginning.
Value = tuple[str, str]


def _value(byte: str, least: int) -> Value:
    quote, padding = r"\\{0,3}[\x22\x27`]", "={0,2}" if byte == _KEY_BYTE else ""
    pattern = rf"(?P<quote>{quote})?+(?P<value>{byte}{{{least},256}}+{padding})(?P<closed>[\x22\x27`\\])?+"
    return pattern, rf"(?:{quote})?{byte}{{{least}}}"


_KEY_VALUE, _LONG_VALUE, _SHORT_VALUE = _value(_KEY_BYTE, 12), _value(_KEY_BYTE, 20), _value(_VALUE, 4)
_BETWEEN_QUOTES = r"[^\x00-\x20\x22\x27\\]"
# Passwords also stand between quotes, with any sign; or are sixteen letters in groups of four, as mail services make.
_PASSWORD_VALUE: Value = (
    rf"(?:{_QUOTE}(?P<groups>[a-z]{{4}}(?: [a-z]{{4}}){{3}})"
    rf"|[\x22\x27](?P<quoted>{_BETWEEN_QUOTES}{{4,128}}+)[\x22\x27]|{_SHORT_VALUE[0]})",
    rf"(?:{_SHORT_VALUE[1]}|[\x22\x27]{_BETWEEN_QUOTES}{{4}})",
)
# The rest of a token that is longer than the pattern.
_REST = rb"(?<=[A-Za-z0-9+/=_.~%$!*@-]{60})[A-Za-z0-9+/=_.~%$!*@-]*+"


def _assigned(kind: str, accept: Accept, name: str, value: Value, given: str = _ASSIGNS) -> Shape:
    """A shape of a name, what assigns, and a value."""
    pattern = rf"(?i:{name})(?P<given>{given}){value[0]}"
    return Shape(kind, pattern, accept, b"" if kind == "PASSWORD" else _REST, rf"(?i:{name})(?:{given}){value[1]}")


_PHRASE = (
    r"(?i:passphrase)" + _QUOTE + r"[ \t]{0,8}(?:=|:)[ \t]{0,8}\\{0,3}[\x22\x27]"
    r"([A-Za-z]{2,16}(?: [A-Za-z0-9]{1,16}){2,12})\\{0,3}[\x22\x27]"
)
_QUOTED = (
    rf"(?i:{_KEYS}){_ASSIGNS}\\{{0,3}}[\x22\x27](?P<value>[^\x00-\x20\x22\x27`<>\\]{{16,256}}+)\\{{0,3}}[\x22\x27]"
)
# Short names, which mean other things, too: `_pass`, `pw`, `_key`, `appKey`, ` PAT`.
_SHORT_NAME = r"[_.-](?i:pass|pw|psw|auth)|\b(?i:pw)"
_SHORT_KEY = r"(?:\b|_)(?i:key|pat|salt|auth)|[a-z]Key"
# Between the name of a card's or a login's code and the code.
_IS_CODE = r"(?i: code)?(?:[:=]| is) ?"
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
    quoted = match.string[begin - 1 : begin] in (b"'", b'"')
    if not value or not (quoted or _DIGIT.search(value) or _SIGN.search(value)):
        return None
    stands_for_one = _NO_PASSWORD.fullmatch(value) or _VARIABLE.match(value)
    return None if stands_for_one else (begin, begin + len(value))


_WORD = r"[A-Za-z0-9'.@_/\x80-\xdf-]"
_SPOKEN_VALUE = r"[^\x00-\x20\x22\x27`,&<>\\]"
_OPEN_QUOTE = r"\\{0,3}[\x22\x27`]"
_ARROW = r":|=|->|\xe2\x80[\x93\x94]|\xe2\x86\x92"
_SAYS = rf"(?: (?:{_ARROW}|{any_word(_IS)}[ \t:])|{_ARROW})[ \t:]{{0,4}}"
_MOST = 128
# A secret has a digit, and it is no short word of small letters and digits.
_DIGIT_AHEAD = r"(?=[^\x00-\x200-9]*[0-9])(?![a-z0-9]{0,7}(?:[\x00-\x20]|\Z))"
_TELLS = re.compile(rf"{_SAYS}(?:{_OPEN_QUOTE})?+{_DIGIT_AHEAD}({_SPOKEN_VALUE}{{6,}}+)".encode("ascii"))
_GAP = r"[ \t\r\n]"
_USER = r"\b(?i:login|user|username|account|role)"
_NAME = r"(?i:password|passwd|pass|pwd|pw)"
_IDENTIFIED = r"\b(?i:identified (?:with [A-Za-z0-9_\x27\x22]{1,40} )?by (?:password )?)"


def _sentence(kind: str, name: str, words: int, accept: Accept, least: int) -> Shape:
    """A shape of a name, up to `words` other words, a word such as "is", and the value."""
    before_value = rf"{_SAYS}(?:{_OPEN_QUOTE})?+{_DIGIT_AHEAD}"
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
    _assigned("PASSWORD", _option, "-(?:password|passwd|pass|pwd)|requirepass|masterauth", _SHORT_VALUE, "[ ]"),
    _assigned("PASSWORD", _quoted_password, any_word(_PASSWORDS), _PASSWORD_VALUE),
    _assigned("PASSWORD", _quoted_password, _SHORT_NAME, _PASSWORD_VALUE),
    _assigned("API_KEY", _key, _KEYS, _KEY_VALUE),
    _assigned("API_KEY", _key, "--(?:token|api-key|secret)", _KEY_VALUE, "[ ]"),
    _assigned("API_KEY", _random_value, _SHORT_KEY, _LONG_VALUE),
    Shape("API_KEY", rf"{_HEADER}(?P<value>{_KEY_BYTE}{{20,256}}+={{0,2}})", _random_value, _REST, rf"{_HEADER}{_KEY_BYTE}{{20}}"),
    Shape("API_KEY", rf"(?i:{_STRONG_KEYS}|token) (?P<value>{_KEY_BYTE}{{20,256}}+={{0,2}})", _spaced_key, _REST, opening=rf"(?i:{_STRONG_KEYS}|token) {_KEY_BYTE}{{20}}"),
    Shape("PASSWORD", rf"\b(?i:cvv2?|cvc2?){_IS_CODE}(\d{{3,4}}){WORD_ENDS}", group),
    Shape("PASSWORD", rf"\b(?i:pin|otp){_IS_CODE}(\d{{4,8}}){WORD_ENDS}", group),
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
    Shape("PASSWORD", rf"{_CURL}(?:[^\x00-\x1f|;-]{{0,60}}+-){{1,6}}?u(?:ser)?[ =][\x22\x27]?[A-Za-z0-9_.-]{{1,64}}:([^\x00-\x20\x22\x27@]{{4,64}}+)", _argument, opening=_CURL),
    Shape("PASSWORD", rf"{_MYSQL}{_ARGUMENTS}{{0,80}}? -p[\x22\x27]?{_ARGUMENT}", _argument, opening=_MYSQL),
    Shape("PASSWORD", rf"{_LOGIN}{_ARGUMENTS}{{0,80}}?-p[ =]?[\x22\x27]?{_ARGUMENT}", _argument_with_digit, opening=_LOGIN),
    Shape("PASSWORD", rf"{_LDAP}{_ARGUMENTS}{{0,80}}? -[aw] [\x22\x27]?{_ARGUMENT}", _argument, opening=_LDAP),
    Shape("PASSWORD", rf"{_SHARE}{_ARGUMENT}", _argument_with_digit, opening=r"\bnet use "),
    Shape("PASSWORD", rf"{_OPENSSL}{_ARGUMENT}", _argument, opening=_OPENSSL),
)  # fmt: skip
