"""What each rule takes out, by the forms that its source gives; and what looks like it and stays."""

import pytest

from ghostrouter.redact.scan import scanner
from ghostrouter.redact.stream import Redactor, redact

A, D, HEX = "aB3dE6gH9k", "4839201756", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
UUID = "3f9a1c22-7b4e-4d10-9a8b-0c1d2e3f4a5b"
B64 = "aB3+E6/H9kLm2nOp5qRs8tUv1wXy4zAb"

KEYS = {
    f"AKIAIOSFODNN7EXAMPLE,{A * 4}": "[API_KEY_1]",
    f"azure {A * 5}xYJQQJ99BC{A * 2}aB3d!": "azure [API_KEY_1]!",
    f"AZURE_DEVOPS {A * 7}aBc4dEAZDOx1Y2": "AZURE_DEVOPS [API_KEY_1]",
    f"AWS_BEARER_TOKEN_BEDROCK=ABSK{B64 * 4}": "AWS_BEARER_TOKEN_BEDROCK=[API_KEY_1]",
    f"FlyV1 fm2_{B64 * 4}==,": "FlyV1 [API_KEY_1]",
    f"s3 GOOG1E{'A7B2C' * 11}": "s3 [API_KEY_1]",
    f"xkeysib-{HEX * 2}-{A}x1Y2z3": "[API_KEY_1]",
    f"PAT: pat{A}aB3d.{HEX * 2}": "PAT: [API_KEY_1]",
    f"pat-eu1-{UUID} ": "[API_KEY_1] ",
    f"access_token$production$0a1b2c3d4e5f6g7h${HEX} ": "[API_KEY_1] ",
    f"zhipu {HEX}.{A}aB3dE6 ": "zhipu [API_KEY_1] ",
    f"dp.st.prd.{A * 4}aB3": "[API_KEY_1]",
    f"https://api.telegram.org/bot{D}:AA{A * 3}aB3/getMe": "https://api.telegram.org/bot[API_KEY_1]/getMe",
    f"https://acme.webhook.office.com/webhookb2/{UUID}@{UUID}/": "https://acme.webhook.office.com/webhookb2/[API_KEY_1]",
    f'Client("AC{HEX}", "{HEX[::-1]}")': 'Client("[API_KEY_1]", "[API_KEY_2]")',
    f"ADMIN_KEY = '{HEX}'": "ADMIN_KEY = '[API_KEY_1]'",
    f"SECRET_KEY_BASE={HEX * 4}": "SECRET_KEY_BASE=[API_KEY_1]",
    f"os.environ['MISTRAL_API_KEY'] = '{A * 3}'": "os.environ['MISTRAL_API_KEY'] = '[API_KEY_1]'",
    "SECRET_KEY='a-b3c5$k(=8)!xn7revp'": "SECRET_KEY='[API_KEY_1]'",
    f"Paste an API key from your profile and hit enter: {HEX}": "Paste an API key from your profile and hit enter: [API_KEY_1]",
    f"the api key {A}aB3dE6gH9k is": "the api key [API_KEY_1] is",
    "bot 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw": "bot [API_KEY_1]",
    f"Authorization: token {HEX}0a1b2c3d": "Authorization: token [API_KEY_1]",
    f"Private-Lines: 1\n{B64}{B64}\nPrivate-MAC: 0": "Private-Lines: 1\n[PRIVATE_KEY_1]-MAC: 0",
}
PASSWORDS = {
    "Пароль от почты — qW3rty_7788": "Пароль от почты — [PASSWORD_1]",
    "A senha do servidor é Praia#2022rj": "A senha do servidor é [PASSWORD_1]",
    "PIN: 4821, cvv is 123, OTP=554433": "PIN: [PASSWORD_1], cvv is [PASSWORD_2], OTP=[PASSWORD_3]",
    "şifre: kedi!Kopek12": "şifre: [PASSWORD_1]",
    "パスワードはsakura-2024-Xです": "パスワードは[PASSWORD_1]",
    'password="8h&Kd93!,Lq"': 'password="[PASSWORD_1]"',
    "Password=Str0ng&Secret;Encrypt=true": "Password=[PASSWORD_1];Encrypt=true",
    "user=a&password=hunter21&remember=1": "user=a&password=[PASSWORD_1]&remember=1",
    '<add key="ApiPassword" value="vB83kk-qq1" />': '<add key="ApiPassword" value="[PASSWORD_1]" />',
    "- name: DB_PASSWORD\n  value: vB83kk-qq1\n": "- name: DB_PASSWORD\n  value: [PASSWORD_1]\n",
    "The root password of node-7 was changed to Tulip#Field9 today.": "The root password of node-7 was changed to [PASSWORD_1] today.",
    "Benutzer admin, Passwort Regen-Schirm5": "Benutzer admin, Passwort [PASSWORD_1]",
    "contraseña: Luna.Llena77": "contraseña: [PASSWORD_1]",
    "redis.auth=9f8e7d6c5b4a": "redis.auth=[PASSWORD_1]",
    "Login: bob / pw: Hund4321": "Login: bob / pw: [PASSWORD_1]",
    "smtp_pass = abcd efgh ijkl mnop": "smtp_pass = [PASSWORD_1]",
    "smtp_pass='abcd efgh ijkl mnop'": "smtp_pass='[PASSWORD_1]'",
    "machine api.acme.io login ci password kd93KDoe10": "machine api.acme.io login ci password [PASSWORD_1]",
    "CREATE USER app IDENTIFIED BY 'Xy7Kq2'": "CREATE USER app IDENTIFIED BY '[PASSWORD_1]'",
    "mysql -u root -pXy7Kq2pWz shop": "mysql -u root -p[PASSWORD_1] shop",
    "curl -s --retry-all --user ci:Xy7Kq2pWz https://a.b/": "curl -s --retry-all --user ci:[PASSWORD_1] https://a.b/",
    "db-tool --password x --password Xy7Kq2pWz": "db-tool --password x --password [PASSWORD_1]",
    "guest-password for the hall is Tulip#Field9": "guest-password for the hall is [PASSWORD_1]",
    "sshpass -p 'Un1verse!42' ssh a": "sshpass -p '[PASSWORD_1]' ssh a",
    "docker login -u bot -p regPass_99x r.io": "docker login -u bot -p [PASSWORD_1] r.io",
    "redis-cli -h c -a Xy7Kq2pWz ping": "redis-cli -h c -a [PASSWORD_1] ping",
    r"net use Z: \\fs01\share Qwer!2345 /user:bob": r"net use Z: \\fs01\share [PASSWORD_1] /user:bob",
}
PEOPLE = {
    "to=anna.b%2Bx%40example.org&ok=1": "to=[EMAIL_1]&ok=1",
    "Звоните: 8 (912) 833-34-69": "Звоните: [PHONE_1]",
    "0151/19692532 oder 08-12 39 51": "[PHONE_1] oder [PHONE_2]",
    "联系人王先生 13912345678": "联系人王先生 [PHONE_1]",
    "contact number: 9876543210": "contact number: [PHONE_1]",
    "office (02) 9374 4001": "office [PHONE_1]",
    "τηλ. 691 850 6768": "τηλ. [PHONE_1]",
    "my phone number in Dublin is 022 12640": "my phone number in Dublin is [PHONE_1]",
    "6759 5966 9124 4410 41": "[CARD_1]",
    "9792 6483 6570 8154": "[CARD_1]",
}
ADDRESSES = {
    "Mariahilfer Straße 45, 1060 Wien": "[ADDRESS_1]",
    "4021 Cedar Hollow Lane\nAustin, TX 78704": "[ADDRESS_1]",
    "Calle de Alcalá 45, 3º B, 28014 Madrid": "[ADDRESS_1]",
    "Lindenstraße 14a\n50674 Köln": "[ADDRESS_1]",
    "Am Alten Markt 7, 18055 Rostock": "[ADDRESS_1]",
    "Václavské náměstí 12, 110 00 Praha 1": "[ADDRESS_1]",
    "Flat 3, 81 Queen's Road, Bristol BS8 1QU": "[ADDRESS_1]",
    "1600 Broadway, New York, NY 10019.": "[ADDRESS_1].",
    "Rua Augusta, 1508, São Paulo - SP, 01304-001": "[ADDRESS_1]",
    "ул. Тверская, д. 18, кв. 42, Москва, 125009": "[ADDRESS_1]",
    "送り先は大阪府大阪市北区梅田3-1-3です": "送り先は[ADDRESS_1]です",
    "〒150-0002 東京都渋谷区渋谷2丁目21-1": "[ADDRESS_1]",
    "地址：北京市朝阳区建国路88号院3号楼1203室": "地址：[ADDRESS_1]",
    "서울특별시 강남구 테헤란로 152 로": "[ADDRESS_1] 로",
}
# Numbers from python-stdnum's documentation or made with it.
IDS = (
    "907-76-0135", "65 011081 M 149", "ЕГН 7003288104", "OIB: 29565667289", "EMŠO: 3103978503858", "isikukood 38605240073",
    "p.k. 040553-80935", "TAJ szám: 157 802 164", "ΑΜΚΑ: 10055590359", "ΑΦΜ 477980688", "kennitala 160968-9150",
    "858-797-325 99", "ИНН: 876526890346", "РНОКПП 5715767989", "730623-14-9518", "3-3686-07345-70-4", "NIK: 3174051208890003",
    "CCCD: 001085012345", "64648-8547373-6", "IRD number 020-621-095", "תעודת זהות: 161126743", "cédula 1.032.456.789",
    "passport no: C01X00T47", "henkilötunnus 130157-418C", "NIE: Y-8496427-B", "Steuer-ID lautet 65738014213",
)  # fmt: skip
HARMLESS = (
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0B\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs\n-----END PUBLIC KEY-----",
    "postgres://USER:PASSWORD@HOST:5432/DB and postgresql://${PGUSER}:${PGPASSWORD}@db/app",
    f'"private_key_id": "{HEX}00112233"',
    f"cache_key = {HEX} and primary-key: {HEX}",
    "the password hash is sha256:abc and the password policy is min12chars",
    "docker run -p 8080:80 nginx; mysql -p shop; sshpass -p $PW ssh a",
    "login with a password first",
    "y = x@layer.weight.view(3), pkg@example.beta_1",
    "pin: 13, GPIO pin 4821, cvv: see the back, spin: 4821, pin=48211x",
    "the token embeddings_of_the_model and the access token documentation-page-of-today",
    "phone 14 Pro Max, mobile first: 2023, call 3 functions, ring 5 times",
    "number: 0.123456789, telephone 2024-05-11",
    "On May 5, 10000 People came; see Table 3, 20000 Rows",
    "第3章 第12節 参照、市区町村は1700以上",
    "876526890347, 29565667280, 12345678901, 1234567890123, 12345678A",
)


@pytest.mark.parametrize(("text", "out"), [*KEYS.items(), *PASSWORDS.items(), *PEOPLE.items()])
def test_what_is_private_is_taken_out(text: str, out: str) -> None:
    assert redact(text) == out


@pytest.mark.parametrize(("text", "out"), ADDRESSES.items())
def test_addresses_are_taken_out_where_they_are_asked_for(text: str, out: str) -> None:
    assert redact(text, scan=scanner(addresses_too=True)) == out
    assert "[ADDRESS" not in redact(text)


@pytest.mark.parametrize("text", IDS)
def test_numbers_of_persons(text: str) -> None:
    out = redact(f"{text}.")
    assert out.endswith("[NATIONAL_ID_1].")
    assert not any(c.isdigit() for c in out.replace("[NATIONAL_ID_1]", ""))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_like_it_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("name", ["access_token=", '{"access_token":"', "SESSION_TOKEN: ", "Authorization: token "])
@pytest.mark.parametrize("size", [200, 1500, 5000])
def test_no_end_of_a_long_token_is_left(name: str, size: int) -> None:
    token = "eyJ" + (A * size)[:size] + "." + (A * size)[:size] + "." + A * 4
    for some in (token, (A * size)[:size]):
        redactor, text = Redactor(), f"{name}{some}; end"
        out = "".join(redactor.feed(text[i : i + 50]) for i in range(0, len(text), 50)) + redactor.close()
        assert out == redact(text)
        assert out.startswith(name)
        assert A not in out
        assert out.endswith("; end")
