"""What is found is what looking at every place for every shape would find: nothing that makes it quick changes it."""

import random
import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.redaction import HOSTILE, vary
from bench.redaction_corpus import corpus
from bench.redaction_held_out import held_out
from ghostrouter.redact.kinds import addresses
from ghostrouter.redact.patterns import first_bytes, prefixes
from ghostrouter.redact.scan import SHAPES, Checks, Find, Scanner, Trial, TrialTable, scanner

ALL = (*SHAPES, *addresses.SHAPES)


class PatientScanner(Scanner):
    """Looks at every place for every shape."""

    def __init__(self) -> None:
        begins = [re.compile(prefixes(s.sought).encode(), re.DOTALL) for s in ALL]
        by_byte: list[tuple[Trial, ...]] = [
            tuple((s.matcher.match, s.accept, s) for s, b in zip(ALL, begins, strict=True) if b.fullmatch(bytes((i,))))
            for i in range(256)
        ]
        self._trials = lambda text, at: by_byte[text[at]]

    def finds(self, text: bytes, at: int, before: int, left: int, checks: Checks) -> tuple[list[Find], int]:
        found: list[Find] = []
        swallows = False
        while at < before and not swallows:
            at, swallows = self.look(text, at, found[-1][1] if found else left, checks, found)
        return found, at


PATIENT, QUICK = PatientScanner(), scanner(addresses_too=True)
BITS = [*HOSTILE, *(s.text for s in (*corpus(7), *held_out(7)) if len(s.text) < 120)]


def found_in(text: bytes, scan: Scanner) -> list[tuple[int, int, str]]:
    """What a scanner finds, also behind what swallows."""
    found: list[Find] = []
    at, checks = 0, Checks()
    while at < len(text):
        some, on = scan.finds(text, at, len(text), found[-1][1] if found else 0, checks)
        found += some
        if on == at or not some:
            break
        at = on
    return [(begin, end, shape.kind) for begin, end, shape in found]


def test_of_the_corpus() -> None:
    for sample in (*corpus(1), *held_out(1)):
        if sample.kind != "pem":
            text = sample.text.encode()
            assert found_in(text, QUICK) == found_in(text, PATIENT)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(BITS), st.integers(1, 3)), min_size=1, max_size=8), st.randoms())
def test_of_texts_at_random(bits: list[tuple[str, int]], rng: random.Random) -> None:
    text = "".join(vary(bit, rng) * times for bit, times in bits)
    text = "".join(rng.choice(string.printable) if rng.random() < 0.01 else c for c in text)
    assert found_in(text.encode(), QUICK) == found_in(text.encode(), PATIENT)


@pytest.mark.parametrize("unit", HOSTILE)
def test_of_crowded_text(unit: str) -> None:
    rng = random.Random(unit)
    bits = (rng.choice(BITS) if rng.random() < 0.1 else unit for _ in range(3_000 // len(unit.encode())))
    text = "".join(vary(bit, rng) for bit in bits).encode()[:4_000]
    assert found_in(text, QUICK) == found_in(text, PATIENT)


def test_a_place_is_known_by_all_shapes_that_match_there() -> None:
    trials = TrialTable(SHAPES, first_bytes([s.sought for s in SHAPES])).trials
    for sample in list(corpus(3))[::3]:
        text = sample.text.encode()[:200]
        for at in range(len(text)):
            named = {id(shape) for _, _, shape in trials(text, at)}
            assert all(id(s) in named for s in SHAPES if s.matcher.match(text, at))
