"""Growths are divided so that the parts are the whole, whatever the stop strings; a cut is where the tokens say."""

from itertools import accumulate

import pytest

from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.sessions.single_tokens import SingleTokens
from ghostrouter.sessions.stop import StopScanner
from ghostrouter.types import SegmentKey
from tests.make import tokens

SEGMENT = Segment(SegmentKey("s", 0), "small", "plan", 0.0, 0.0)


def growths(text: str, sizes: list[int], stops: list[str]) -> list[Growth]:
    """The growths of an answer of one character a token, `sizes` of them each, as a session makes them."""
    scanner, found, at = StopScanner(stops), [], 0
    for size in sizes:
        piece = text[at : at + size]
        found.append(Growth(SEGMENT, at, tuple(tokens(piece)), scanner.push(piece)))
        at += size
    return found


@pytest.mark.parametrize("stops", [[], ["ab!"], ["aab", "b"]])
@pytest.mark.parametrize("sizes", [[8], [1, 7], [3, 3, 2], [5, 1, 1, 1]])
def test_the_parts_do_not_depend_on_the_groups(sizes: list[int], stops: list[str]) -> None:
    single = SingleTokens(stops)
    parts = [part for growth in growths("aabcaaba", sizes, stops) for part in single.divide(growth)]
    assert [(p.start, p.text) for p in parts] == [(g.start, g.text) for g in growths("aabcaaba", [1] * 8, stops)]
    assert all(len(p.tokens) == 1 for p in parts)


def test_a_growth_without_tokens_stays_and_the_last_part_has_the_finish() -> None:
    single = SingleTokens([])
    tail = Growth(SEGMENT, 4, (), " tail", "stop")
    assert list(single.divide(tail)) == [tail]
    parts = list(single.divide(Growth(SEGMENT, 0, tuple(tokens("abc")), "abc+", "stop")))
    assert [(p.text, p.finish) for p in parts] == [("a", None), ("b", None), ("c+", "stop")]


def test_text_that_is_not_that_of_the_tokens_is_not_lost() -> None:
    parts = list(SingleTokens([]).divide(Growth(SEGMENT, 0, tuple(tokens("abc")), "[NAME]")))
    assert "".join(p.text for p in parts) == "[NAME]"
    assert list(accumulate(len(p.tokens) for p in parts)) == [1, 2, 3]
