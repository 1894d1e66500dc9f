"""What is taken out of a text, and that no way to cut it changes that."""

import base64
import json
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghostrouter.redact.stream import Redactor, redact
from ghostrouter.redact.vault import Restorer, Vault

JWT = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "HS256"}, {"sub": "1234567890", "name": "x"}, ["a signature that is long enough"])
)
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow1BAAKCAQEAx4fakefake\n" * 5 + "-----END RSA PRIVATE KEY-----"

PRIVATE = {
    "Use sk-proj-Ab3dEf6hIj9kLm2nOp5q now": "Use [API_KEY_1] now",
    "sk-ant-api03-Ab3dEf6hIj9kLm2nOp5q_x-y": "[API_KEY_1]",
    "AKIAIOSFODNN7EXAMPLE.": "[API_KEY_1].",
    f"jwt {JWT}. Next": "jwt [JWT_1]. Next",
    f"{PEM}\nend": "[PRIVATE_KEY_1]\nend",
    json.dumps({"key": PEM}): '{"key": "[PRIVATE_KEY_1]"}',
    "postgres://bob:hunter2x@db.example.org/x": "postgres://bob:[PASSWORD_1]@db.example.org/x",
    'password = "hunter2"': 'password = "[PASSWORD_1]"',
    '{"arguments": "{\\"password\\": \\"hunter2!\\"}"}': '{"arguments": "{\\"password\\": \\"[PASSWORD_1]\\"}"}',
    "mail bob.smith+x@mail.example.co.uk, bob.smith+x@mail.example.co.uk": "mail [EMAIL_1], [EMAIL_1]",
    "password is x1y2z3 and the other is Tulip#Field9.": "password is [PASSWORD_1] and the other is [PASSWORD_2].",
    r"line\nanna@example.com": r"line\n[EMAIL_1]",
    "写信给anna@example.com吧": "写信给[EMAIL_1]吧",
    "call +49 (0)30 901820 or (415) 555-2671": "call [PHONE_1] or [PHONE_2]",
    "IBAN DE89 3704 0044 0532 0130 00 and more": "IBAN [IBAN_1] and more",
    "card 4111-1111-1111-1111!": "card [CARD_1]!",
    "ssn 123-45-6789": "ssn [NATIONAL_ID_1]",
    "DNI 12345678Z": "DNI [NATIONAL_ID_1]",
    "from 203.0.113.7:443 and [2001:db8::1]": "from [IP_ADDRESS_1]:443 and [[IP_ADDRESS_2]]",
}
HARMLESS = [
    "The token embeddings have 768 dimensions; max_tokens=512.",
    "epoch 1700000000, 1700000000000, 1700000000000000000",
    "version 1.2.3.4, Chrome/120.0.0.0, 1.3.6.1.4.1.311",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "password = getpass.getpass()\npassword: str = config.password",
    "git@github.com:org/repo.git lodash@4.17.21 icon@2x.png",
    "4111 1111 1111 1112 and DE89 3704 0044 0532 0130 01",
    "std::vector<int> a; dead::beef; 12:34:56; 00:1A:2B:3C:4D:5E",
    "sk-fading-circle sk-rotating-plane-animation",
    "2 + 2 = 4; 74*6=444; 444*2=888; 888-103=785; so 785.",
]


@pytest.mark.parametrize(("text", "out"), PRIVATE.items(), ids=range(len(PRIVATE)))
def test_what_is_private_is_taken_out(text: str, out: str) -> None:
    assert redact(text) == out


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", PRIVATE, ids=range(len(PRIVATE)))
def test_every_cut_gives_the_same(text: str) -> None:
    whole = redact(text)
    for parts in ([[text[:i], text[i:]] for i in range(len(text))], [list(text)]):
        for some in parts:
            redactor = Redactor()
            assert "".join(redactor.feed(p) for p in some) + redactor.close() == whole


@pytest.mark.parametrize("sign", ["-5", ".5", ",5", "/5", ".", "-a"])
@pytest.mark.parametrize(
    "number", ["06 12 34 56 78", "(415) 555-2671", "08-12 39 51", "192.0.2.7", "4242 4242 4242 4242"]
)
def test_what_stands_behind_a_number_is_waited_for(number: str, sign: str) -> None:
    text, redactor = f"{number}{sign} ", Redactor()
    assert "".join(map(redactor.feed, text)) + redactor.close() == redact(text)


def test_what_ends_one_address_of_mail_begins_the_next() -> None:
    text = "n@n.go@m.on@n.lo"
    for i in range(len(text)):
        redactor = Redactor()
        assert redactor.feed(text[:i]) + redactor.feed(text[i:]) + redactor.close() == redact(text)


def test_what_begins_within_an_address_of_mail_lets_no_part_of_it_go() -> None:
    text, redactor = "n.wa@example.org? and more ", Redactor()
    assert "".join(map(redactor.feed, text)) + redactor.close() == redact(text) == "[EMAIL_1]? and more "


_BITS = st.sampled_from(
    [
        *PRIVATE,
        *HARMLESS,
        *"0123456789 .-@:/+=\"'\n",
        "a",
        "sk-",
        "eyJ",
        "password",
        "é",
        "京",
        "-----",
        "4111 ",
        "DE89",
        "::",
    ]
)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.lists(_BITS, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_no_cut_changes_anything(bits: list[str], sizes: list[int]) -> None:
    text = "".join(bits)
    redactor, out, at = Redactor(), "", 0
    for turn in range(len(text) + 1):
        size = sizes[turn % len(sizes)]
        out += redactor.feed(text[at : at + size])
        at += size
        if at >= len(text):
            break
    assert out + redactor.close() == redact(text)


@settings(max_examples=100)
@given(st.text(max_size=300))
def test_any_text_survives(text: str) -> None:
    redactor = Redactor()
    out = "".join(redactor.feed(c) for c in text) + redactor.close()
    assert out == redact(text)
    if not redactor.counts:
        assert out == text


@pytest.mark.parametrize(("text", "held"), [("Hello ", 0), ("Hello", 5), ("see bob", 3), ("so, ", 0)])
def test_no_more_is_held_than_could_become_private(text: str, held: int) -> None:
    redactor = Redactor()
    redactor.feed(text)
    assert redactor.held == held


def test_a_very_long_token_is_not_gathered() -> None:
    redactor = Redactor()
    out = redactor.feed("sk-")
    for _ in range(2_000):
        out += redactor.feed("a1B2c3D4e5")
        assert redactor.held < 3_000
    assert out + redactor.feed(" end") + redactor.close() == "[API_KEY_1] end"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_what_was_taken_out_comes_back(sizes: list[int]) -> None:
    vault = Vault()
    text = "mail anna@example.com or call +49 30 901820, [NOTE_1] [x"
    out, restorer, at, back = redact(text, vault), Restorer(vault), 0, ""
    while at < len(out):
        for size in sizes:
            back += restorer.feed(out[at : at + size])
            at += size
    assert back + restorer.close() == text


@pytest.mark.parametrize("before", ["password=", "a://b:"])
@pytest.mark.parametrize("wide", ["京", "é", "🐢"])
def test_a_bound_tears_no_character_apart(before: str, wide: str) -> None:
    for ascii_letters in range(4):
        text = before + "a1B!"[:ascii_letters] + wide * 150 + "@x"
        redactor = Redactor()
        assert "".join(redactor.feed(text[i : i + 7]) for i in range(0, len(text), 7)) + redactor.close() == redact(
            text
        )


def test_a_card_is_found_in_a_table_of_numbers() -> None:
    row = "1001 2003 3007 1009 5011 6013 1017 8019 2021 "
    table = row * 4 + "4242 4242 4242 4242, " + row * 3
    assert redact(table) == row * 4 + "[CARD_1], " + row * 3


CROWD = " ".join(f"{n:08d}A" for n in range(10_000_007, 10_090_000, 389))


def test_in_a_crowd_of_numbers_their_form_is_enough_however_it_is_cut() -> None:
    whole = redact(CROWD)
    assert whole.count("[NATIONAL_ID") > 100
    assert "".join(re.findall(r"\d{8}A", whole))  # the first ones were validated
    for size in (1, 7, 64, 1_000):
        redactor = Redactor()
        parts = (CROWD[i : i + size] for i in range(0, len(CROWD), size))
        assert "".join(map(redactor.feed, parts)) + redactor.close() == whole


def test_a_table_of_numbers_has_no_cards() -> None:
    rng = random.Random(5)
    table = "\n".join(" ".join(f"{rng.randrange(1_000, 9_999)}" for _ in range(12)) for _ in range(50))
    assert redact(table).count("[CARD") <= 20  # at most at the end of a row
