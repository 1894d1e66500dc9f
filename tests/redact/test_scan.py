"""What is found is what looking at every place for every shape would find: nothing that makes it quick changes it."""

import random
import re
import string
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.redaction import HOSTILE, vary
from bench.redaction_corpus import corpus
from bench.redaction_held_out import held_out
from ghostrouter.redact.here import Here, Trial
from ghostrouter.redact.openings import beginnings
from ghostrouter.redact.scan import SHAPES, Scanner, scanner
from ghostrouter.redact.shape import Found


class Patient(Scanner):
    """Looks at every place for every shape."""

    def __init__(self) -> None:
        self._trials = _everything()

    def all(self, text: bytes, at: int, before: int, floor: int) -> tuple[list[Found], int]:
        found: list[Found] = []
        while at < before:
            one, at = self.look(text, at, floor)
            if one:
                found.append(one)
                floor = one[1]
                at = max(at, floor)
        return found, at


def _everything() -> Callable[[bytes, int], tuple[Trial, ...]]:
    """All shapes, but for those that cannot begin with a byte."""
    begins = [re.compile(beginnings(s.core or s.pattern).encode()) for s in SHAPES]
    trials = [
        tuple((s.near.match, s.accept, s) for s, begin in zip(SHAPES, begins, strict=True) if begin.fullmatch(byte))
        for byte in (bytes((i,)) for i in range(256))
    ]
    return lambda text, at: trials[text[at]]


PATIENT = Patient()
BITS = [*HOSTILE, *(s.text for s in (*corpus(7), *held_out(7)) if len(s.text) < 120)]


def found_in(text: bytes, scan: Scanner) -> list[tuple[int, int, str]]:
    """By a scanner that stops at what swallows, or by one that does not."""
    found: list[Found] = []
    at = 0
    while at < len(text):
        some, on = scan.all(text, at, len(text), found[-1][1] if found else 0)
        found += some
        if on == at or not some:
            break
        at = on
    return [(begin, end, shape.kind) for begin, end, shape in found]


def test_of_the_corpus() -> None:
    for sample in (*corpus(1), *held_out(1)):
        if sample.kind != "pem":
            text = sample.text.encode()
            assert found_in(text, scanner()) == found_in(text, PATIENT)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(BITS), st.integers(1, 3)), min_size=1, max_size=8), st.randoms())
def test_of_texts_at_random(bits: list[tuple[str, int]], rng: random.Random) -> None:
    text = "".join(vary(bit, rng) * times for bit, times in bits)
    text = "".join(rng.choice(string.printable) if rng.random() < 0.01 else c for c in text)
    assert found_in(text.encode(), scanner()) == found_in(text.encode(), PATIENT)


@pytest.mark.parametrize("unit", HOSTILE)
def test_of_text_that_repeats_itself(unit: str) -> None:
    other = "mail a.b@example.org, " + unit
    text = (unit * (4_500 // len(unit.encode())) + other + unit * (4_000 // len(unit.encode()))).encode()
    assert found_in(text, scanner()) == found_in(text, PATIENT)


@pytest.mark.parametrize("unit", HOSTILE)
def test_of_crowded_text_that_never_repeats_itself(unit: str) -> None:
    rng = random.Random(unit)
    bits = (rng.choice(BITS) if rng.random() < 0.1 else unit for _ in range(4_000 // len(unit.encode())))
    text = "".join(vary(bit, rng) for bit in bits).encode()[:6_000]
    assert found_in(text, scanner()) == found_in(text, PATIENT)


def test_a_place_is_known_by_all_shapes_that_match_there() -> None:
    trials = Here(SHAPES).trials
    for sample in list(corpus(3))[::3]:
        text = sample.text.encode()[:200]
        for at in range(len(text)):
            named = {id(shape) for _, _, shape in trials(text, at)}
            assert all(id(s) in named for s in SHAPES if s.near.match(text, at))
