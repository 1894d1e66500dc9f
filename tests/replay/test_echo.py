import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.replay.echo import EchoTrimmer, without
from tests.make import token, tokens

STORY = "Mira Voss was born in Tarvik, where her father repaired clocks. She"


def trimmed(kept: str, pieces: list[str], window_tokens: int = 64) -> str:
    trimmer = EchoTrimmer(kept, window_tokens)
    out = [t for piece in pieces for t in trimmer.push([token(piece)])]
    return "".join(t.text for t in [*out, *trimmer.flush()])


@pytest.mark.parametrize(
    ("kept", "text", "new"),
    [
        (STORY, " moved to Orsk.", " moved to Orsk."),  # no echo
        (STORY, "repaired clocks. She moved to Orsk.", " moved to Orsk."),
        (STORY, STORY + " moved to Orsk.", " moved to Orsk."),
        (STORY, "She moved to Orsk.", " moved to Orsk."),  # the last word again, without a space before it
        (STORY, "\n\nrepaired  clocks.\nShe moved", " moved"),  # white space is white space
        ("The capital is Par", "Paris.", "is."),
        ("The capital is Par", "is.", "is."),
        ("It costs 1", "12 crowns", "2 crowns"),
        ("It was very ", "very good", "very good"),  # too little to be sure
        ("one two three ", "two three four", "four"),
        ("one two three\n\n", "two three four", "four"),
        ("banana", "apple", "apple"),
        ("谢", "谢你", "你"),  # all that was kept
        ("我说谢", "谢你", "谢你"),
        ("今天天气很好，我们", "很好，我们去公园", "去公园"),
        ("שלום עולם", "שלום עולם יפה", " יפה"),
        (STORY, "clocks. Sh", "clocks. Sh"),  # it ends before the echo does
        (STORY, "", ""),
        ("", "anything", "anything"),
        ("  ", "anything", "anything"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_echo_is_trimmed_and_nothing_else(kept: str, text: str, new: str, size: int) -> None:
    assert trimmed(kept, [text[i : i + size] for i in range(0, len(text), size)]) == new


def test_without_a_window_nothing_is_trimmed_nor_held() -> None:
    trimmer = EchoTrimmer(STORY, 0)
    assert "".join(t.text for t in trimmer.push(tokens("clocks. She"))) == "clocks. She"


def test_tokens_are_held_no_longer_than_they_might_be_an_echo() -> None:
    trimmer = EchoTrimmer(STORY, 64)
    assert trimmer.push([token("rep"), token("aired")]) == []
    assert [t.text for t in trimmer.push([token(" by")])] == ["rep", "aired", " by"]
    assert [t.text for t in trimmer.push([token("repaired")])] == ["repaired"]


def test_a_far_echo_is_beyond_the_window() -> None:
    text = "was born in Tarvik, where her father repaired clocks. She moved"
    assert trimmed(STORY, [text], window_tokens=2) == text
    assert trimmed(STORY, ["clocks. She moved"], window_tokens=2) == " moved"


def test_a_token_that_straddles_is_cut() -> None:
    given_tokens = [token("ab", id=1), token("", id=2), token("cd", id=3), token("", id=4)]
    assert [(t.id, t.text) for t in without(given_tokens, 3)] == [(3, "d"), (4, "")]
    assert without(given_tokens, 0) == given_tokens


words = st.lists(st.text("abcxyz€😀", min_size=1, max_size=6), min_size=2, max_size=12)


@given(words, words, st.data())
def test_whatever_is_repeated_the_answer_is_written_once(
    first: list[str], rest: list[str], data: st.DataObject
) -> None:
    kept, new = " ".join(first), " " + " ".join(["§", *rest])
    again = data.draw(st.integers(0, len(first) - 2))
    stream = " ".join(first[again:]) + new
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    pieces: list[str] = []
    at = 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    overlap = " ".join(first[again:])
    assert trimmed(kept, pieces) == new or len(overlap.replace(" ", "")) < 8
    # Without a repetition nothing is ever lost: nothing in `kept` begins as this does.
    assert trimmed(kept, ["§ " + stream]) == "§ " + stream


pieces = st.sampled_from(["a", " a", "b", " b", " ", "ab", ".", " foo", "foo", " foo bar", "bar", " bar", "\n"])


@given(
    st.lists(pieces, min_size=1, max_size=8),
    st.lists(pieces, min_size=1, max_size=10),
    st.lists(st.integers(1, 4), max_size=10),
)
def test_how_tokens_come_together_changes_nothing(kept: list[str], written: list[str], sizes: list[int]) -> None:
    def texts(sizes: list[int]) -> list[str]:
        trimmer, left, out = EchoTrimmer("".join(kept), 6), [token(t) for t in written], []
        for size in [*sizes, *[1] * len(written)]:
            group, left = left[:size], left[size:]
            out += trimmer.push(group) if group else []
        return [t.text for t in [*out, *trimmer.flush()]]

    assert texts(sizes) == texts([]) == texts([len(written)])
