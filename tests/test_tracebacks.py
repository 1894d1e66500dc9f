"""What the log tells of an error: its type and where it was raised, never its message."""

import pytest

from ghostrouter.tracebacks import without_message


def _fail(secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError as error:
        raise KeyError(secret) from error


def test_types_and_places_of_the_error_and_its_causes_are_told_and_no_message() -> None:
    with pytest.raises(KeyError) as raised:
        _fail("a prompt")
    told = without_message(raised.value)
    assert "a prompt" not in told
    assert told.startswith("builtins.KeyError\n") and "after builtins.ValueError\n" in told
    assert "test_tracebacks.py:" in told and "in _fail" in told
