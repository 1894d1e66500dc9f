"""Form and content of JSON texts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.conversation import Features, Grammar, Schema, Tool
from ghostrouter.signals.form import AnswerForm, JsonForm

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text('a{}[]:,"\\ é', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k{:"\\', max_size=3), inner, max_size=3),
    max_leaves=8,
)


def content(text: str) -> str:
    form = JsonForm()
    return "".join(c for c in text if form.push(c))


def values(value: Any) -> str:
    """What the values of a JSON value say, as JSON writes it."""
    if isinstance(value, dict):
        return "".join(map(values, value.values()))
    if isinstance(value, list):
        return "".join(map(values, value))
    return json.dumps(value, ensure_ascii=False)[1:-1] if isinstance(value, str) else json.dumps(value)


@given(JSON, st.sampled_from([None, 2]))
def test_what_values_say_is_content(value: Any, indent: int | None) -> None:
    assert content(json.dumps(value, ensure_ascii=False, indent=indent)) == values(value)


@given(JSON, st.lists(st.integers(1, 4)))
def test_a_piece_is_content_if_any_of_its_characters_is(value: Any, sizes: list[int]) -> None:
    text = json.dumps(value)
    form, single, at = JsonForm(), JsonForm(), 0
    for size in [*sizes, len(text)]:
        piece, at = text[at : at + size], at + size
        if piece:
            characters = [single.push(c) for c in piece]
            assert form.push(piece) == any(characters)


@pytest.mark.parametrize(
    ("before", "is_content"), [('{"a": "', True), ('{"', False), ('{"a": "x"', False), ("", False)]
)
def test_the_first_bytes_of_a_character_are_what_is_around_them(before: str, is_content: bool) -> None:
    form = JsonForm()
    form.push(before)
    assert form.push("") == is_content


TOOLS = (Tool("f", "", {}),)


@pytest.mark.parametrize(
    ("features", "is_json"),
    [
        (Features(), False),
        (Features(schema=Schema("s", {})), True),
        (Features(json_object=True), True),
        (Features(grammar=Grammar("regex", ("{}",))), False),
        (Features(tools=TOOLS, json_object=True), False),
        (Features(tools=TOOLS, json_object=True, tool_choice="none"), True),
    ],
)
def test_only_the_text_of_a_json_answer_has_form(features: Features, is_json: bool) -> None:
    form = AnswerForm(features)
    assert form.is_json == is_json
    assert form.text("{") != is_json
    assert form.text('"key": ') != is_json
    assert form.text("1")


def test_each_call_has_arguments_of_its_own() -> None:
    form = AnswerForm(Features(tools=TOOLS))
    assert [form.arguments(n, p) for n, p in ((0, '{"a'), (1, '{"b": "x'), (0, '": "'), (0, "y"), (1, "z"))] == [
        False,
        True,
        False,
        True,
        True,
    ]
