"""The prefixes of a pattern are the prefixes of what it matches."""

import re

import pytest
import re2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ghostrouter.redact.patterns import first_bytes, plain, prefixes
from ghostrouter.redact.scan import SHAPES
from ghostrouter.redact.shape import Shape

CASES = [
    ("ab{2,3}c", "abbc"),
    ("(?:x|yz)+w?", "yzxw"),
    (r"\bA[0-9]{2,}+z", "A123z"),
    ("(?i:key)(?P<v>[a-c]{2})?", "KeYab"),
    ("a(?!x)(?>b{1,3}c?)(?=d)d", "abbcd"),
]


@pytest.mark.parametrize(("pattern", "text"), CASES)
def test_all_prefixes_and_nothing_else(pattern: str, text: str) -> None:
    assert re2.fullmatch(plain(pattern), text)
    for i in range(1, len(text) + 1):
        assert re2.fullmatch(prefixes(pattern), text[:i]), text[:i]
    assert not re2.fullmatch(prefixes(pattern), text + "~")


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SHAPES), st.data())
def test_of_every_shape(shape: object, data: st.DataObject) -> None:
    pattern = shape.pattern  # type: ignore[attr-defined]
    text = data.draw(st.from_regex(pattern.encode(), fullmatch=True).filter(lambda t: len(t) < 400))
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    begun = re2.compile(prefixes(pattern).encode(), options)
    cut = data.draw(st.integers(1, len(text)))
    assert begun.fullmatch(text[:cut])


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
def test_every_match_begins_with_one_of_the_first_bytes(shape: Shape) -> None:
    pattern = shape.sought
    begun = re.compile(prefixes(pattern).encode(), re.DOTALL)
    assert {i for i in range(256) if begun.fullmatch(bytes((i,)))} <= first_bytes([pattern])[0]
