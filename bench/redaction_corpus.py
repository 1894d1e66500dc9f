"""A labelled corpus of private and harmless texts from a seeded generator. It has no data of real people.

A sample is a text in which `{{...}}` marks what is private. Numbers with check digits are computed here, by separate
code, not by the code under test.
"""

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HEX = "0123456789abcdef"
ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"


@dataclass(frozen=True)
class Sample:
    """A sample. `spans` are the private (begin, end) in `text`; a harmless text has none."""

    kind: str
    text: str
    spans: tuple[tuple[int, int], ...]


def sample(kind: str, marked: str) -> Sample:
    """From a text with marks."""
    text, spans = "", []
    for i, part in enumerate(marked.replace("{{", "\0").replace("}}", "\0").split("\0")):
        if i % 2:
            spans.append((len(text), len(text) + len(part)))
        text += part
    return Sample(kind, text, tuple(spans))


class Maker:
    """Draws private texts."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def some(self, alphabet: str, n: int) -> str:
        while True:
            text = "".join(self.rng.choice(alphabet) for _ in range(n))
            if alphabet not in (ALNUM, URLSAFE, HEX) or (
                any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
            ):
                return text

    def digits(self, n: int) -> str:
        return "".join(self.rng.choice("0123456789") for _ in range(n))

    def api_keys(self) -> list[str]:
        s = self.some
        return [
            "sk-" + s(ALNUM, 48), "sk-proj-" + s(URLSAFE, 120), "sk-svcacct-" + s(URLSAFE, 60), "sk-ant-api03-" + s(URLSAFE, 93) + "AA",
            "sk-or-v1-" + s(HEX, 64), "sk-" + s(HEX, 32), "AIza" + s(URLSAFE, 35), "xai-" + s(ALNUM, 80), "gsk_" + s(ALNUM, 52),
            "hf_" + s(string.ascii_letters, 34), "r8_" + s(ALNUM, 37), "pplx-" + s(ALNUM, 48), "tgp_v1_" + s(URLSAFE, 43), "nvapi-" + s(URLSAFE, 64),
            "csk-" + s(ALNUM, 48), "fw_" + s(ALNUM, 24), "AKIA" + s(string.ascii_uppercase + "234567", 16), "ASIA" + s(string.ascii_uppercase + "234567", 16),
            "ghp_" + s(ALNUM, 36), "gho_" + s(ALNUM, 36), "ghs_" + s(ALNUM, 36), "github_pat_" + s(ALNUM, 22) + "_" + s(ALNUM, 59),
            "glpat-" + s(URLSAFE, 20), "xoxb-" + self.digits(12) + "-" + self.digits(12) + "-" + s(ALNUM, 24), "xapp-1-A" + s(ALNUM, 10) + "-" + self.digits(13) + "-" + s(HEX, 64),
            "sk_live_" + s(ALNUM, 24), "rk_test_" + s(ALNUM, 24), "whsec_" + s(ALNUM, 32), "npm_" + s(ALNUM, 36), "pypi-AgEIcHlwaS5vcmc" + s(URLSAFE, 120),
            "SG." + s(URLSAFE, 22) + "." + s(URLSAFE, 43), "dop_v1_" + s(HEX, 64), "shpat_" + s(HEX, 32), "ya29." + s(URLSAFE, 100), "GOCSPX-" + s(URLSAFE, 28),
            s(ALNUM, 3) + "8Q~" + s(ALNUM, 34), "hvs." + s(ALNUM, 24), "lin_api_" + s(ALNUM, 40), "dckr_pat_" + s(ALNUM, 27), "AC" + s(HEX, 32),
            self.digits(9) + ":AA" + s(URLSAFE, 33), "pcsk_" + s(ALNUM, 50), "lsv2_pt_" + s(HEX, 32) + "_" + s(HEX, 10), "tvly-" + s(ALNUM, 32),
        ]  # fmt: skip

    def jwt(self) -> str:
        def part(value: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        head = part({"alg": self.rng.choice(["HS256", "RS256", "none"]), "typ": "JWT"})
        return f"{head}.{part({'sub': self.digits(10), 'exp': 1700000000})}.{self.some(URLSAFE, 43)}"

    def pem(self) -> str:
        kind = self.rng.choice(
            ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]
        )
        lines = "\n".join(self.some(ALNUM + "+/", 64) for _ in range(self.rng.randint(3, 12)))
        return f"-----BEGIN {kind}-----\n{lines}\n{self.some(ALNUM, 22)}==\n-----END {kind}-----"

    def password(self) -> str:
        word = self.rng.choice(
            ["Sommer", "hunter", "Tr0ub4dor", "dragon", "Winter", "letmein", "qwerty", "S3cure", "coffee", "Paris"]
        )
        return word + self.digits(self.rng.randint(2, 4)) + self.rng.choice(["", "!", "#", "$x", "_Q", "%z"])

    def email(self) -> str:
        first = self.rng.choice(
            [
                "anna",
                "bob.smith",
                "j.doe",
                "maria_lopez",
                "x.y.z",
                "li.wei",
                "o'neil",
                "support",
                "jürgen",
                "info+news",
                "a",
                "2cool4u",
            ]
        )
        host = self.rng.choice(
            [
                "example.com",
                "mail.example.co.uk",
                "firma.de",
                "univ-paris.fr",
                "münchen.de",
                "sub.domain.example.org",
                "corp.io",
                "web.museum",
            ]
        )
        return f"{first}@{host}"

    def phone(self) -> str:
        d, r = self.digits, self.rng.randint
        return self.rng.choice([
            f"+1 {r(201, 989)} {r(200, 999)} {d(4)}", f"+1-{r(201, 989)}-{r(200, 999)}-{d(4)}", f"+1 ({r(201, 989)}) {r(200, 999)}-{d(4)}", f"({r(201, 989)}) {r(200, 999)}-{d(4)}",
            f"{r(201, 989)}-{r(200, 999)}-{d(4)}", f"{r(201, 989)}.{r(200, 999)}.{d(4)}", f"+1{r(201, 989)}{r(200, 999)}{d(4)}", f"+49 30 {d(6)}", f"+49 (0)89 {d(7)}", f"+49 171 {d(7)}",
            f"+44 20 7{d(3)} {d(4)}", f"+44 7{d(3)} {d(6)}", f"07{d(3)} {d(6)}", f"020 7{d(3)} {d(4)}", f"+33 6 {d(2)} {d(2)} {d(2)} {d(2)}", f"06 {d(2)} {d(2)} {d(2)} {d(2)}",
            f"+34 6{d(2)} {d(3)} {d(3)}", f"+39 3{d(2)} {d(7)}", f"+31 6 {d(8)}", f"+48 {r(500, 799)} {d(3)} {d(3)}", f"+7 9{d(2)} {d(3)}-{d(2)}-{d(2)}", f"+86 13{d(1)} {d(4)} {d(4)}",
            f"+81 90-{d(4)}-{d(4)}", f"090-{d(4)}-{d(4)}", f"+91 9{d(4)} {d(5)}", f"+55 11 9{d(4)}-{d(4)}", f"(11) 9{d(4)}-{d(4)}", f"+61 4{d(2)} {d(3)} {d(3)}", f"0049 171 {d(7)}", f"+41 44 {d(3)} {d(2)} {d(2)}",
            f"+971 50 {d(3)} {d(4)}", f"+65 9{d(3)} {d(4)}", f"+82 10-{d(4)}-{d(4)}", f"+46 70 {d(3)} {d(2)} {d(2)}", f"+353 87 {d(3)} {d(4)}",
        ])  # fmt: skip

    def iban(self) -> str:
        country, body = self.rng.choice([
            ("DE", self.digits(18)), ("FR", self.digits(23)), ("GB", self.some(string.ascii_uppercase, 4) + self.digits(14)), ("ES", self.digits(20)), ("IT", "X" + self.digits(22)),
            ("NL", "INGB" + self.digits(10)), ("CH", self.digits(17)), ("NO", self.digits(11)), ("PL", self.digits(24)), ("BE", self.digits(12)), ("AT", self.digits(16)), ("MT", "MALT" + self.digits(23)),
        ])  # fmt: skip
        number = int("".join(str(int(c, 36)) for c in body + country + "00"))
        whole = f"{country}{98 - number % 97:02d}{body}"
        return " ".join(whole[i : i + 4] for i in range(0, len(whole), 4)) if self.rng.random() < 0.6 else whole

    def card(self) -> str:
        start, n = self.rng.choice(
            [
                ("4", 16),
                ("51", 16),
                ("55", 16),
                ("2221", 16),
                ("34", 15),
                ("37", 15),
                ("6011", 16),
                ("3566", 16),
                ("36", 14),
                ("62", 16),
                ("4", 19),
            ]
        )
        body = start + self.digits(n - len(start) - 1)
        total = sum(sum(divmod(int(c) * (2 if i % 2 == 0 else 1), 10)) for i, c in enumerate(reversed(body)))
        number = body + str(-total % 10)
        if n == 16 and self.rng.random() < 0.6:
            return self.rng.choice([" ", "-"]).join(number[i : i + 4] for i in range(0, 16, 4))
        return f"{number[:4]} {number[4:10]} {number[10:]}" if n == 15 and self.rng.random() < 0.5 else number

    def national_id(self) -> str:
        return self.rng.choice(_IDS)(self)

    def ip(self) -> str:
        r = self.rng.randint
        six = ":".join(self.some(HEX, 4).lstrip("0") or "0" for _ in range(6))
        return self.rng.choice([
            f"192.168.{r(0, 255)}.{r(1, 254)}", f"10.{r(0, 255)}.{r(0, 255)}.{r(1, 254)}", f"{r(11, 99)}.{r(0, 255)}.{r(0, 255)}.{r(1, 254)}", f"{r(130, 223)}.{r(0, 255)}.{r(0, 255)}.{r(1, 254)}",
            f"2001:db8:{six}", f"2001:db8::{self.some(HEX, 4)}", f"fe80::{self.some(HEX, 4)}:{self.some(HEX, 4)}", f"fd{self.some(HEX, 2)}:{self.some(HEX, 4)}::1", f"2a02:{self.some(HEX, 3)}:{self.some(HEX, 4)}::{r(1, 99)}", f"::ffff:192.0.2.{r(1, 254)}",
        ])  # fmt: skip

    def address(self) -> str:
        r = self.rng.randint
        return self.rng.choice([
            f"{r(1, 9999)} Main Street, Springfield, IL {r(10000, 99999)}", f"{r(1, 999)} N. Oak Ave., Apt {r(1, 30)}B, Austin, TX {r(10000, 99999)}", f"{r(1, 99)} Baker Street, London NW1 6XE", f"{r(10, 99)} Elm Road",
            f"{r(100, 999)} West 42nd Street, New York, NY {r(10000, 10299)}", f"Hauptstraße {r(1, 200)}, {r(10000, 99999)} Berlin", f"Lindenweg {r(1, 99)}a, {r(10000, 99999)} Bad Homburg", f"Goethestr. {r(1, 99)}, {r(10000, 99999)} München",
            f"{r(1, 200)} rue de la République, {r(10000, 95999)} Lyon", f"{r(1, 200)} avenue Victor Hugo, {r(10000, 95999)} Paris", f"Calle de Alcalá {r(1, 300)}, {r(10000, 52999)} Madrid", f"Via Garibaldi {r(1, 200)}, {r(10000, 98999)} Torino",
            f"Keizersgracht {r(1, 700)}, {r(1000, 9999)} AB Amsterdam", f"Rua Augusta, {r(1, 3000)}, {r(10000, 99999)}-{r(100, 999)} São Paulo", f"ul. Marszałkowska {r(1, 150)}, {r(10, 99)}-{r(100, 999)} Warszawa", f"Drottninggatan {r(1, 99)}, {r(100, 999)} {r(10, 99)} Stockholm",
            f"ул. Ленина, д. {r(1, 99)}", f"PO Box {r(100, 9999)}, Denver, CO {r(80000, 80999)}", f"{r(1, 400)} King Street West, Toronto, ON M5V 2T6", f"〒{r(100, 999)}-{r(1000, 9999)} 東京都千代田区丸の内1-{r(1, 9)}", f"北京市朝阳区建国路{r(1, 99)}号",
        ])  # fmt: skip


def _weights(text: str, weights: tuple[int, ...]) -> int:
    return sum(int(c) * w for c, w in zip(text, weights, strict=False))


def _ssn(m: Maker) -> str:
    return f"{m.rng.randint(100, 665)}-{m.rng.randint(10, 99)}-{m.rng.randint(1000, 9999)}"


def _dni(m: Maker) -> str:
    n = m.digits(8)
    return n + "TRWAGMYFPDXBNJZSQVHLCKE"[int(n) % 23]


def _nir(m: Maker) -> str:
    n = f"{m.rng.randint(1, 2)}{m.rng.randint(40, 99)}{m.rng.randint(1, 12):02d}{m.rng.randint(10, 95)}{m.digits(6)}"
    return f"{n[0]} {n[1:3]} {n[3:5]} {n[5:7]} {n[7:10]} {n[10:13]} {97 - int(n) % 97:02d}"


def _cpf(m: Maker) -> str:
    n = m.digits(9)
    for first in (10, 11):
        rest = sum(int(c) * (first - i) for i, c in enumerate(n)) % 11
        n += "0" if rest < 2 else str(11 - rest)
    return f"{n[:3]}.{n[3:6]}.{n[6:9]}-{n[9:]}"


def _pesel(m: Maker) -> str:
    n = f"{m.rng.randint(40, 99)}{m.rng.randint(1, 12):02d}{m.rng.randint(1, 28):02d}{m.digits(4)}"
    return f"PESEL: {{{{{n}{-_weights(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}}}}}"


def _swedish(m: Maker) -> str:
    n = f"{m.rng.randint(40, 99)}{m.rng.randint(1, 12):02d}{m.rng.randint(1, 28):02d}{m.digits(3)}"
    total = sum(sum(divmod(int(c) * (2 - i % 2), 10)) for i, c in enumerate(n))
    return f"{n[:6]}-{n[6:]}{-total % 10}"


def _nino(m: Maker) -> str:
    return f"{m.rng.choice('ABCEHJLMPRSWXYZ')}{m.rng.choice('ABCEHJLMPRSWXYZ')} {m.digits(2)} {m.digits(2)} {m.digits(2)} {m.rng.choice('ABCD')}"


def _ahv(m: Maker) -> str:
    n = "756" + m.digits(9)
    n += str(-_weights(n, (1, 3) * 6) % 10)
    return f"{n[:3]}.{n[3:7]}.{n[7:11]}.{n[11:]}"


def _chinese(m: Maker) -> str:
    n = f"{m.rng.randint(110101, 659000)}19{m.rng.randint(50, 99)}{m.rng.randint(1, 12):02d}{m.rng.randint(1, 28):02d}{m.digits(3)}"
    return n + "10X98765432"[_weights(n, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11]


def _rut(m: Maker) -> str:
    n = str(m.rng.randint(5_000_000, 25_000_000))
    rest = 11 - sum(int(c) * (2 + i % 6) for i, c in enumerate(reversed(n))) % 11
    return f"{int(n):,}".replace(",", ".") + "-" + {10: "K", 11: "0"}.get(rest, str(rest))


def _nric(m: Maker) -> str:
    n = m.digits(7)
    return f"S{n}{'JZIHGFEDCBA'[_weights(n, (2, 7, 6, 5, 4, 3, 2)) % 11]}"


def _turkish(m: Maker) -> str:
    n = str(m.rng.randint(1, 9)) + m.digits(8)
    d = [int(c) for c in n]
    n += str((7 * sum(d[0::2]) - sum(d[1::2])) % 10)
    return n + str(sum(int(c) for c in n) % 10)


def _korean(m: Maker) -> str:
    return f"{m.rng.randint(50, 99)}{m.rng.randint(1, 12):02d}{m.rng.randint(1, 28):02d}-{m.rng.randint(1, 2)}{m.digits(6)}"


def _bsn(m: Maker) -> str:
    while True:
        n = m.digits(9)
        if n[0] != "0" and _weights(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0:
            return f"BSN {{{{{n}}}}}"


_IDS: tuple[Callable[[Maker], str], ...] = (
    _ssn, _dni, _nir, _cpf, _pesel, _swedish, _nino, _ahv, _chinese, _rut, _nric, _turkish, _korean, _bsn,
)  # fmt: skip

# Ways to put something private into a text.
CARRIERS = (
    "My {what} is {}, please keep it safe.", "{}", "Please use {} for the test.", "2026-11-03T10:22:33Z INFO [auth] user=42 value={} status=200", '{{"user": 7, "value": "{}", "ok": true}}',
    "config.value = '{}'  # rotate me", "Hallo, hier ist es: {} – danke!", "Voici : {} (merci)", "Aquí está: {}.", "これは{}です", "- item\n- {}\n- item", "<td>{}</td>", "curl -H 'X-Value: {}' https://example.org/v1", "see ({}) and reply",
    '{{"arguments": "{{\\"to\\": \\"{}\\", \\"cc\\": null}}"}}', "| id | value |\n| 3 | {} |",
)  # fmt: skip
PASSWORDS = (
    'password = "{}"', "DB_PASSWORD={}", "password: {}", '"password": "{}"', "pwd={};Server=db1", "--password {}", "<password>{}</password>", "My password is {}.", "Passwort: {}", "mot de passe : {}", "contraseña: {}", "пароль: {}", "密码：{}",
    "postgres://app:{}@db.example.org:5432/shop", "https://bob:{}@git.example.org/repo.git", "redis://:{}@cache:6379/0", "spring.datasource.password={}", 'MYSQL_ROOT_PASSWORD: "{}"', '{{"arguments": "{{\\"password\\": \\"{}\\"}}"}}', "export PGPASSWORD='{}'", "user=bob&password={}&x=1", "curl -u admin:{} https://example.org",
    "senha: {}", "amqp://guest:{}@rabbit//", "Server=x;Database=y;User Id=z;Password={};", "ldap_bind_passwd = {}",
)  # fmt: skip
KEYED = (
    'api_key = "{}"', "API_KEY={}", '"apiKey": "{}"', "MISTRAL_API_KEY={}", "export TOGETHER_API_KEY='{}'", "aws_secret_access_key = {}", "Authorization: Bearer {}", "X-Api-Key: {}", "client_secret: {}", "AccountKey={};EndpointSuffix=core.windows.net", "?access_token={}&page=2", "auth_token: '{}'", "COHERE_API_KEY: {}", "azure_openai_key = \"{}\"", "secret_key = '{}'",
)  # fmt: skip

HARMLESS = tuple(
    line
    for line in """The token embeddings have 768 dimensions and the position embeddings 512.
We tokenize the text; each token: a sub-word unit. max_tokens=512, token_count: 128000
tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
epoch 1700000000 and 1700000000000 and 1700000000000000 and 1700000000000000000
Epoch 12/100 - loss: 0.4821 - accuracy: 0.9312 - val_loss: 0.5120
version 1.2.3.4 of the driver; Chrome/120.0.0.0 Safari/537.36
requires foo>=1.2.3.4,<2.0 and bar==10.0.1.2
v2.10.3.1 was released on 2024-03-15 at 10:22:33.123456
The section 3.1.4.1 describes the OID 1.3.6.1.4.1.311.21.20
commit 9fceb02d0ae598e95dc970b74767f19372d61af8 by somebody
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
id 123e4567-e89b-12d3-a456-426614174000 was created
md5 d41d8cd98f00b204e9800998ecf8427e  empty.txt
integrity sha512-9NK3KkQ0bX1QkxvOuS3uqFmRVQ3Tj0x9bkBTkF0lRI0aV6dCE0ZLXYb8jG2hzN1c5g==
password: str = Field(default=None)
def login(user: str, password: str) -> Token:
password = getpass.getpass("Password: ")
password=os.environ["DB_PASSWORD"]
if password == confirm_password: return True
secret = config.secret
token = request.headers.get("Authorization")
api_key: ${{ secrets.API_KEY }}
api_key=${API_KEY}
password: ********
password: <your password>
Forgot your password? Reset it here.
The password must be at least 12 characters long.
password is required
Your password was changed yesterday.
secret: nothing to see
the secret of good bread is time
tokens: 4096, cached_tokens: 2048
primary_key = "user_id"
cache_key = f"user:{user_id}:profile"
key: value
public_key_algorithm = rsa
sort(key=lambda x: x.name)
@app.route("/users/<int:id>")
@property
npm install lodash@4.17.21 react@18.2.0
image icon@2x.png and logo@3x.webp
user@localhost connected
git@github.com:org/repo.git
meet @ 5 pm, @everyone
a @ b matrix product, x@w.T
1234567890
order 1234567890123456 shipped
tracking 9400110200881234567890
invoice 2024-000123, customer 88213
isbn 978-3-16-148410-0
port 8080, 65535 max, pid 12345678
2024-01-15 10:22:33,123 INFO pool-1-thread-2 took 1234 ms
10:22:33 12:00:00 23:59:59.999
00:1A:2B:3C:4D:5E is the MAC address
std::vector<int> a; foo::bar::baz(); use std::io;
Rust: dead::beef and a::b::c
127.0.0.1:8000 and 0.0.0.0 and localhost
netmask 255.255.255.0
ratio 16:9, 1:2:3, C:\\Users\\x
coordinates 52.520008, 13.404954
1,234,567.89 EUR and 3.14159265358979
chr1:123456-234567 rs1234567890
0x1F4A9C3B 0xdeadbeefcafebabe
#ff8800 #123456 rgb(255, 136, 0)
phone: see the website
call 42 times, then wait
Call me Ishmael.
+10000 points, -5 degrees, +2.5%
UTC+02:00, GMT+0200, 2024-01-01T00:00:00+02:00
1+1=2, 12+123456=123468, x+1234
@@ -1234,7 +1234,9 @@ def main():
diff --git a/x b/x index 1234567..89abcde 100644
12 Angry Men, 7 Brides and 3 Musketeers
101 Dalmatians by Disney
He walked down the street for 5 minutes.
Section 8 Housing Act, Chapter 11, Route 66
In 1984 George Orwell ...
on 5 May Street parties took place
via GitHub 3 issues were closed
Avenue 5 is a TV series
SELECT id, name FROM users WHERE id = 12345678901
{"id": 20240315123456, "count": 4111, "total": 1111}
4111 1111 1111 1112 is no card
4111-1111-1111-1113 neither
DE89 3704 0044 0532 0130 01 is no account
GB82 WEST 1234 5698 7654 33
123.456.789-00 is no CPF
12345678A
000-12-3456 and 900-12-3456 and 666-12-3456
sk-fading-circle sk-cube-grid sk-rotating-plane-animation
sk-learn-style-estimators-for-everyone
the risk-adjusted-return-of-portfolios task-based-language-teaching
hf_hub_download(repo_id="x") and hf_transfer_enabled_by_default
gsk_shares_rose_in_london_trading
pk-primary-key-constraint-violation
eyJ is how base64 JSON begins
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk
the header starts with -----BEGIN CERTIFICATE----- in PEM files
https://example.com:8080/path?x=1#frag
http://user@example/
ssh://host:22/path
redis://localhost:6379/0
https://docs.example.com/en/latest/api.html
bearer of bad news, the bearer token is sent in a header
Authorization: Bearer <token>
Authorization: Bearer $TOKEN
basic understanding of probability
temperature=0.7, top_p=0.95, seed=1234567890
learning_rate=1e-4 batch_size=32 num_layers=24
1600 x 1200, 4K, 300 dpi
ISO 8601, RFC 3986, PEP 484
9783161484100 4006381333931
2 + 2 = 4; 74*6=444; 444*2=888; 888-103=785; so 785.
Otto has 74 coins, times 6, times 2, loses 103.
1. First 2. Second 3. Third
W3C, IPv4, IPv6, H2O, B2B
lorem ipsum dolor sit amet, consectetur
1234-5678 and 12-34 and 1-2-3-4-5-6-7
0.1.2.3.4.5
192.168.1.300
999.999.999.999
SHA-1 SHA-256 AES-128-GCM
Windows 10.0.19045.3803
jdk-17.0.9.1 openssl-3.0.2.1
weights[0:100, 1:200] = 0
arr[::2], arr[::-1], x[1::3]
face::add(1), fe::f()
loss 0.1234567890123456
timestamp=1700000000.123456
2024.01.15 and 15.01.2024 and 01-02-2024
span_id=00f067aa0ba902b7 trace_id=4bf92f3577b34da6a3ce929d0e0e4736
ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"
etag W/"0815"
AB123456 is a seat, QR789 a flight
Die Hauptstraße ist gesperrt. Der Ring 3 fehlt.
Le mot de passe est obligatoire.
La contraseña debe tener 8 caracteres.
El rey Felipe VI nació en 1968.
Das Passwort: bitte nicht weitergeben
パスワードを忘れた場合
密码不能为空
Токен: единица текста
пароль обязателен
""".splitlines()
    if line
)


def corpus(seed: int) -> Iterator[Sample]:
    """All samples: each private kind in many carriers, and the harmless texts."""
    maker = Maker(seed)
    kinds: dict[str, tuple[Callable[[], str], int]] = {
        "jwt": (maker.jwt, 16), "pem": (maker.pem, 16), "email": (maker.email, 64), "phone": (maker.phone, 80), "iban": (maker.iban, 48), "card": (maker.card, 48),
        "national_id": (maker.national_id, 80), "ip": (maker.ip, 48), "address": (maker.address, 64),
    }  # fmt: skip
    turn = 0
    for kind, (draw, count) in kinds.items():
        for _ in range(count):
            yield _carried(kind, draw(), CARRIERS[turn % len(CARRIERS)])
            turn += 1
    for round_ in range(2):
        for i, key in enumerate(maker.api_keys()):
            yield _carried("api_key", key, CARRIERS[(i + round_ * 5) % len(CARRIERS)])
    for _ in range(2):
        for carrier in PASSWORDS:
            yield _carried("password", maker.password(), carrier)
        for i, carrier in enumerate(KEYED):
            yield _carried("keyed", maker.some(ALNUM if i % 2 else HEX, 40 if i % 3 else 32), carrier)
    for line in HARMLESS:
        yield Sample("harmless", line, ())


def _carried(kind: str, private: str, carrier: str) -> Sample:
    marked = private if "{{" in private else f"{{{{{private}}}}}"
    return sample(
        kind,
        carrier.replace("{what}", "value")
        .replace("{{", "\1")
        .replace("}}", "\2")
        .replace("{}", marked)
        .replace("\1", "{")
        .replace("\2", "}"),
    )
