import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.replay.boundary import Boundaries, safe_keep


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Mira was", "Mira| was"),
        ("can't stop", "can't| stop"),
        ("3.14 is pi.", "3.14| is| pi|."),
        ("1,000,000 and -5", "1,000,000| and| |-5"),
        ("1e-5 m", "1e-5| m"),
        ("2*3", "2|*|3"),
        ("日本語です。", "日|本|語|で|す|。"),
        ("สวัสดี ครับ", "สวัสดี| ครับ"),
        ("카카오는 좋다", "카카오는| 좋다"),
        ("שלום עולם", "שלום| עולם"),
        ("ok 👩‍👩‍👧🏽 x", "ok| |👩‍👩‍👧🏽| x"),
        ("🇩🇪🇫🇷!", "🇩🇪|🇫🇷|!"),
        ("ne\u0301e x", "ne\u0301e| x"),
        ("a\r\nb", "a|\r\n|b"),
        ('see <a href="x y">it</a> now', 'see| |<a href="x y">|it|</a>| now'),
        ("if a <b and c", "if| a| |<|b| and| c"),  # no tag
        ("so <|eot|> x", "so| |<|eot|>| x"),
        ('ok <tool_call>{"a": 1}</tool_call> x', 'ok| |<tool_call>{"a": 1}</tool_call>| x'),
        ("[TOOL_CALLS] [1, 2]", "[TOOL_CALLS] [1, 2]"),
    ],
)
def test_places_to_cut(text: str, places: str) -> None:
    boundaries = Boundaries(text)
    cut = "".join(("|" if i > 0 and boundaries.safe(i) else "") + c for i, c in enumerate(text))
    assert cut.replace("| ", " ").replace(" |", " ") == places.replace("| ", " ").replace(" |", " ")


@pytest.mark.parametrize(
    ("end", "safe"),
    [
        ("Par", False),
        ("Paris ", True),
        ("Paris.", True),
        ("12", False),
        ("3.", False),
        ("x = -", False),
        ("a -", False),
        ("well-", True),
        ("can'", False),
        ("日本", True),
        ("カタ", False),
        ("👩", False),
        ("👩‍", False),
        ("🇩", False),
        ("e\u0301", False),
        ("see <a hre", False),
        ("see <", False),
        ("see <b>", True),
        ("a < ", True),
        ("<tool_call>{}", False),
        ("<tool_call>{}. ", False),
        ("<tool_call>{}</tool_call>", True),
        ("<|tool_calls_begin|>x. ", False),
    ],
)
def test_an_end_may_be_the_middle_of_something(end: str, safe: bool) -> None:
    assert Boundaries(end).safe(len(end)) is safe


@pytest.mark.parametrize(
    ("before", "texts", "least", "most", "keep"),
    [
        ("", ["The", " cap", "ital", " is"], 0, 4, 3),  # "is" might become "island"
        ("", ["The", " cap", "ital", " is"], 0, 2, 1),
        ("", ["The", " cap", "ital", " is"], 2, 2, 2),  # the client has a part of a word: exactly there
        ("", ["The", " cap", "ital", " is"], 2, 3, 3),
        ("", ["The", " 1", "2", " is"], 2, 2, 2),
        ("", ["Par"], 0, 1, 0),
        ("The Par", ["is", "ian"], 0, 1, 0),
        ("", [], 0, 0, 0),
    ],
)
def test_how_much_to_keep(before: str, texts: list[str], least: int, most: int, keep: int) -> None:
    assert safe_keep(before, texts, least, most) == keep


texts = st.lists(
    st.text(max_size=4) | st.sampled_from(["👩‍", "👧", "\u0301", " ", "<a", ">", "1", ".", "שלום"]), max_size=12
)


@given(st.text(max_size=6), texts, st.data())
def test_never_before_what_the_client_has_nor_behind_what_is_wanted(
    before: str, parts: list[str], data: st.DataObject
) -> None:
    least = data.draw(st.integers(0, len(parts)))
    most = data.draw(st.integers(least, len(parts)))
    keep = safe_keep(before, parts, least, most)
    assert least <= keep <= most
    if keep > least:
        whole = before + "".join(parts)
        assert Boundaries(whole).safe(len(before + "".join(parts[:keep])))
