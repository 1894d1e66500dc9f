"""JSON stays JSON, and what stands in it is private however it is escaped and cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.redact.json_text import JsonRedactor, escaped
from ghostrouter.redact.vault import Restorer, Vault

PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEow1BAAKCAQEAx4fakefake\n" * 5

CASES = {
    r'{"to": "line\nanna@example.com"}': r'{"to": "line\n[EMAIL_1]"}',
    r'{"to": "j\u00fcrgen@example.com\u0022"}': r'{"to": "[EMAIL_1]\""}',
    '{"card": 4111111111111111, "n": 3}': '{"card": "[CARD_1]", "n": 3}',
    '[4111111111111111,\n "x"]': '["[CARD_1]",  "x"]',
    json.dumps({"inner": json.dumps({"password": "hunter2!"})}): r'{"inner": "{\"password\": \"[PASSWORD_1]\"}"}',
    json.dumps({"key": PEM, "mail": "a@example.com"}): '{"key": "[PRIVATE_KEY_1]", "mail": "[EMAIL_1]"}',
    r'{"e": "\ud83d\ude00 \ud83d x \\"}': r'{"e": "😀 \ud83d x \\"}',
    r'{"e": "a \q b"}': r'{"e": "a \q b"}',
    "no JSON at all: anna@example.com": 'no JSON at all: "[EMAIL_1]"',
    "{}": "{}",
    "": "",
}


@pytest.mark.parametrize(("text", "out"), CASES.items(), ids=range(len(CASES)))
def test_however_it_is_cut(text: str, out: str) -> None:
    assert JsonRedactor().close(text) == out
    for size in range(1, len(text)):
        redactor = JsonRedactor()
        parts = (text[i : i + size] for i in range(0, len(text), size))
        assert "".join(map(redactor.feed, parts)) + redactor.close() == out


_VALUES = st.recursive(
    st.text(max_size=20)
    | st.integers()
    | st.booleans()
    | st.none()
    | st.sampled_from(["anna@example.com", PEM, '"\\']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(_VALUES, st.booleans(), st.integers(1, 9))
def test_json_stays_json(value: object, ascii_only: bool, size: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    redactor = JsonRedactor()
    out = "".join(redactor.feed(text[i : i + size]) for i in range(0, len(text), size)) + redactor.close()
    assert "anna@example.com" not in out
    again = json.loads(out)
    if not redactor.counts:
        assert again == value


@pytest.mark.parametrize("secret", ['hunt"er\\2!', "päss wörd7", "tab\there1"])
def test_a_text_comes_back_into_json_as_it_was(secret: str) -> None:
    vault = Vault()
    placeholder = vault.placeholder("PASSWORD", secret.encode()).decode()
    restorer = Restorer(vault, escaped)
    text = json.dumps({"password": placeholder})
    assert json.loads("".join(map(restorer.feed, text)) + restorer.close()) == {"password": secret}


def test_what_is_escaped_in_json_is_the_same_text_as_elsewhere() -> None:
    vault = Vault()
    JsonRedactor(vault).close(json.dumps({"url": "a://b:pa\\ss@h"}))
    assert vault.restore("[PASSWORD_1]") == "pa\\ss"
