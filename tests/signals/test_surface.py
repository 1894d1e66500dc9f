"""What the text alone tells."""

import pytest

from ghostrouter.signals.surface import NAME, NUMBER, SurfaceTracker


def novelties(asked: str, text: str, size: int) -> list[int]:
    tracker = SurfaceTracker(asked)
    return [tracker.push(text[i : i + size]).novelty for i in range(0, len(text), size)]


@pytest.mark.parametrize(
    ("asked", "text", "found"),
    [
        ("Otto has 74", "74", [0, 0]),
        ("Otto has 74", "75", [0, NUMBER]),
        ("Otto", "Ott", [0, 0, 0]),
        ("Otto", "Ora", [0, NAME, NAME]),
        ("", "ora", [0, 0, 0]),
        ("", "9 9", [NUMBER, 0, 0]),
    ],
)
def test_novelty_begins_where_a_word_leaves_what_was_said(asked: str, text: str, found: list[int]) -> None:
    assert novelties(asked, text, 1) == found


def test_a_piece_has_the_novelty_of_its_words() -> None:
    assert novelties("in Paris", "Paris, Ulm", 10) == [NAME]


def test_repetition_grows_while_the_text_repeats_itself() -> None:
    passage = "the answer is not in the book. "
    tracker = SurfaceTracker("")
    assert tracker.push(passage).repetition == 0
    found = [tracker.push(c).repetition for c in passage * 4]
    assert found[:11] == [0] * 11, "less than a window is no repetition"
    assert found[11] == 12 / 64
    assert found == sorted(found)
    assert found[-1] == 1
    assert tracker.push("something else entirely").repetition == 0


def test_what_was_written_before_counts() -> None:
    tracker = SurfaceTracker("", "It was 1999. ")
    assert tracker.push("1999").novelty == 0
