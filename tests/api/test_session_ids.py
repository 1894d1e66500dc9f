import pytest

from ghostrouter.api.session_ids import repeatable
from ghostrouter.errors import InvalidRequest

BODY = {"model": "small", "messages": [{"role": "user", "content": "?"}]}


def test_a_key_names_one_session_of_its_caller() -> None:
    key = {"idempotency-key": "k"}
    first = repeatable(key, "me", BODY)
    assert repeatable(key, "me", dict(reversed(BODY.items()))) == first
    assert first.is_asked_for
    others = [
        repeatable(key, "you", BODY),
        repeatable({"idempotency-key": "l"}, "me", BODY),
        repeatable({"x-request-id": "k"}, "me", BODY),
    ]
    assert len({first.suffix, *(o.suffix for o in others)}) == 4


def test_another_body_with_a_key_is_told_apart_and_with_a_request_id_another_session() -> None:
    other = {**BODY, "seed": 1}
    one, two = (repeatable({"idempotency-key": "k"}, "me", body) for body in (BODY, other))
    assert one.suffix == two.suffix and one.request_hash != two.request_hash
    one, two = (repeatable({"x-request-id": "k"}, "me", body) for body in (BODY, other))
    assert one.suffix != two.suffix
    assert repeatable({"x-request-id": "k"}, "me", BODY) == one and not one.is_asked_for


def test_without_a_key_no_two_requests_are_the_same() -> None:
    assert repeatable({}, "me", BODY).suffix != repeatable({}, "me", BODY).suffix


def test_a_long_key_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Idempotency-Key"):
        repeatable({"idempotency-key": "k" * 256}, "me", BODY)
