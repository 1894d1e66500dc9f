import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.sessions.stop import StopScanner


@pytest.mark.parametrize(
    ("stops", "pieces", "out", "stopped"),
    [
        ((), ["a", "b"], ["a", "b"], False),
        (("END",), ["xE", "N", "Dy"], ["x", "", ""], True),
        (("END",), ["xE", "N", "O"], ["x", "", "ENO"], False),
        (("aab",), ["aa", "ab"], ["", "a"], True),
        (("b", "ab"), ["xab"], ["x"], True),
        (("\n\n",), ["a\n", "b\n", "\nc"], ["a", "\nb", ""], True),
    ],
)
def test_stop_strings(stops: tuple[str, ...], pieces: list[str], out: list[str], stopped: bool) -> None:
    scanner = StopScanner(stops)
    assert [scanner.push(p) for p in pieces] == out
    assert scanner.stopped is stopped


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(st.text("ab", max_size=4), max_size=12),
)
def test_the_cut_does_not_depend_on_the_pieces(stops: list[str], pieces: list[str]) -> None:
    scanner, text = StopScanner(stops), "".join(pieces)
    seen = "".join(scanner.push(p) for p in pieces) + scanner.flush()
    found = [(text.find(s) + len(s), text.find(s)) for s in stops if s in text]
    assert scanner.stopped is bool(found)
    assert seen == (text[: min(found)[1]] if found else text)
