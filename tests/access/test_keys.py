"""Keys, and how a call may be redacted."""

import pytest

from ghostrouter.access.keys import ANYONE, Caller, Door, StoredKey, digest, presented
from ghostrouter.errors import InvalidRequest, NotPermitted, Unauthorized
from ghostrouter.redact.policy import Discretion, asked

ALICE = Caller("alice", "red", models=("ghost-*",), tasks=("default",), may_unredact=False)


def test_a_door_without_keys_is_open() -> None:
    assert Door({}).admit(None, 0.0) is ANYONE
    with pytest.raises(Unauthorized):
        Door({}, locked=True).admit(None, 0.0)


def test_a_key_is_known_by_its_digest() -> None:
    door = Door({digest("secret").upper(): ALICE})
    assert door.admit("secret", 0.0) is ALICE
    for key in ("", None, "other", digest("secret")):
        with pytest.raises(Unauthorized):
            door.admit(key, 0.0)


def test_stored_keys_come_and_go_and_the_door_stays_locked() -> None:
    door = Door({})
    door.renew({}, ever_made=False)
    door.admit(None, 0.0)
    door.renew({digest("new"): StoredKey(ALICE, expires_s=10.0)}, ever_made=True)
    assert door.admit("new", 9.9) is ALICE
    with pytest.raises(Unauthorized):
        door.admit("new", 10.0)
    door.renew({}, ever_made=True)
    assert not door.is_open
    door.renew({}, ever_made=False)
    for key in ("new", None):
        with pytest.raises(Unauthorized):
            door.admit(key, 0.0)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer  k "}, "k"),
        ({"authorization": "Basic k"}, None),
        ({"x-api-key": "k"}, "k"),
        ({"api-key": "k"}, "k"),
        ({}, None),
    ],
)
def test_where_a_key_may_be(headers: dict[str, str], key: str | None) -> None:
    assert presented(headers) == key


def test_what_a_key_is_for() -> None:
    assert ALICE.may_use("ghost-small") and not ALICE.may_use("gpt")
    ALICE.check_task("default")
    with pytest.raises(NotPermitted):
        ALICE.check_task("arithmetic")


def test_more_redaction_may_always_be_asked_for() -> None:
    assert asked({"x-ghost-redaction": "strict"}, Discretion("auto"), ALICE) == Discretion("strict")
    assert asked({}, Discretion("auto"), ALICE) == Discretion("auto")
    with pytest.raises(InvalidRequest):
        asked({"x-ghost-redaction": "some"}, Discretion("auto"), ALICE)


def test_less_needs_the_words_and_the_right() -> None:
    off = {"x-ghost-redaction": "off"}
    words = {**off, "x-ghost-acknowledge": "I_UNDERSTAND_AND_ACCEPT_RISK"}
    with pytest.raises(NotPermitted):
        asked(off, Discretion("auto"), ANYONE)
    with pytest.raises(NotPermitted):
        asked(words, Discretion("auto"), ALICE)
    assert asked(words, Discretion("auto"), ANYONE) == Discretion("off", "anyone: I_UNDERSTAND_AND_ACCEPT_RISK")


def test_whom_it_covers() -> None:
    assert [Discretion("auto").covers(t) for t in ("untrusted", "standard", "trusted")] == [True, True, False]
    assert Discretion("strict").covers("trusted") and not Discretion("off").covers("untrusted")
