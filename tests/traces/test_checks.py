import json

import pytest

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces import checks
from ghostrouter.traces.rescue import Rescued, rescue_point

SCHEMA = json.dumps({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})


def says(model: str, prompt: str) -> str:
    """Models: one that is always right about 2 + 2, one that judges 4 right, one that does not know what is asked."""
    if model == "judge":
        return "Yes." if "Answer:\nIt is 4" in prompt else "no"
    return {"large": "So it is 4.0", "quiet": "Lions roar", "rambling": "Well ..."}[model]


def own(prompt: str, reference: str | None, text: str) -> bool:
    return len(text) > 3


@pytest.mark.parametrize(
    ("name", "reference", "right", "wrong"),
    [
        ("number", "1,234", "It is 7, no: 1234.", "1234, no: 7"),
        ("number", "-3.5", "x = -3.50", "3.5"),
        ("number", "4", "4", "I cannot say"),
        ("choice", "B", "A is tempting. The answer is (B).", "B is tempting. The answer is A"),
        ("choice", "b", "**B**", "none"),
        ("regex", r"\bParis\b", "It is Paris.", "It is Parisian"),
        ("json-schema", SCHEMA, 'So: ```json\n{"a": 1}\n```', '{"a": "1"}'),
        ("json-schema", SCHEMA, '{"a": 1}', "a = 1"),
        ("python:tests.traces.test_checks:own", None, "long", "no"),
        ("judge:judge", "4", "It is 4", "It is 5"),
        ("agrees:large", None, "2 + 2 = 4", "5"),
        ("agrees:quiet", None, "lions  roar", "lions purr"),
    ],
)
def test_right_and_wrong(name: str, reference: str | None, right: str, wrong: str) -> None:
    check = checks.named(name, says)
    assert check("2 + 2?", reference, right)
    assert not check("2 + 2?", reference, wrong)


@pytest.mark.parametrize(
    ("name", "reference", "words"),
    [
        ("mood", "a", "there is no check mood; there are number, choice"),
        ("number", None, "needs an `answer`"),
        ("regex", "(", "no regular expression"),
        ("json-schema", "{", "no JSON schema"),
        ("json-schema", '{"type": 7}', "no JSON schema"),
        ("python:nowhere:f", "a", "nowhere"),
        ("python:json:nothing", "a", "nothing"),
        ("judge:rambling", "a", "neither yes nor no"),
    ],
)
def test_what_cannot_be_checked_is_said(name: str, reference: str | None, words: str) -> None:
    with pytest.raises(TraceInvalid, match=words):
        checks.named(name, says)("2 + 2?", reference, "4")


@pytest.mark.parametrize("last", range(9))
def test_bisection_finds_the_last_prefix_that_is_rescued(last: int) -> None:
    asked = []

    def is_rescued(kept: str) -> bool:
        asked.append(len(kept))
        return len(kept) <= last

    assert rescue_point("abcdefghi", is_rescued) == Rescued(last, True)
    assert len(asked) <= 6
    assert 0 not in asked, "the stronger model is known to be right from there"


def test_a_rescue_that_is_not_monotonic_says_so() -> None:
    found = rescue_point("a" * 16, lambda kept: len(kept) in (1, 2, 12))
    assert not found.monotonic
    assert found.point == 12
