import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from deployments.engine.answer_parser import AnswerParser, AnswerParsers
from ghostrouter.conversation import Features, Tool
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.signals.decode import PieceDecoder
from ghostrouter.types import ReasoningPart, Sampling, SegmentKey, SegmentRequest, Token, ToolCallPart, Written
from tests.deployments.engine.json_tokenizers import tokenizer

HERMES = ChatFormat("hermes", "", tells_tools=True)
THINKS = ChatFormat("hermes", "deepseek_r1", tells_tools=True)
ADD = Tool("add", "", {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array"}}})
ECHO = Tool("echo", "", {"type": "object", "properties": {"text": {"type": "string"}}})
TOOLS = Features((ADD, ECHO))
SAID = "Größe <b>first</b>: "
A, B = '{"a": 1, "b": [2, "x"]}', '{"text": "a } \\"é\\" <tool"}'
CALLS = (
    f'{SAID}<tool_call>\n{{"name": "add", "arguments": {A}}}\n</tool_call>'
    f'\n<tool_call>\n{{"name": "echo", "arguments": {B}}}\n</tool_call>'
)
REQUIRED = f'[{{"name": "add", "parameters": {A}}}, {{"name": "echo", "parameters": {B}}}]'
PROMPT = (3, 4, 5)


class Answer:
    """What a client has: the text, the reasoning, and each call."""

    def __init__(self) -> None:
        self.text = self.reasoning = ""
        self.calls: dict[int, list[str]] = {}

    def add(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            self.text += token.text
            assert not (token.text and token.aside)
            if isinstance(token.aside, ReasoningPart):
                self.reasoning += token.aside.text
            elif isinstance(token.aside, ToolCallPart):
                part = token.aside
                assert (part.number in self.calls) != bool(part.name and part.id)
                call = self.calls.setdefault(part.number, [part.id, part.name, ""])
                call[2] += part.arguments

    @property
    def whole(self) -> tuple[str, str, list[tuple[str, Any]]]:
        return self.text.strip(), self.reasoning, [(name, json.loads(args)) for _, name, args in self.calls.values()]


def token(i: int) -> Token:
    return Token(i, "?", -0.1, 1, 1.0, 0.1, 0.1, 0.1, 0.0, 0, False)


@pytest.fixture(scope="module")
def small() -> PreTrainedTokenizerFast:
    return thinking(280)


@pytest.fixture(scope="module")
def large() -> PreTrainedTokenizerFast:
    return thinking(420)


def thinking(size: int) -> PreTrainedTokenizerFast:
    """A tokenizer with the marks of reasoning."""
    made = tokenizer(size)
    made.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    return made


def opened(
    of: PreTrainedTokenizerFast,
    features: Features,
    kept: Sequence[int] = (),
    written: Written = Written(),  # noqa: B008 - it is frozen
    form: ChatFormat = HERMES,
) -> AnswerParser:
    request = SegmentRequest(
        SegmentKey("s", 0),
        "m",
        (*PROMPT, *kept),
        len(kept),
        Sampling(max_tokens=99),
        features=features,
        written=written,
    )
    parser = AnswerParsers(of, of.backend_tokenizer, form, frozenset({0})).open(request)
    assert parser
    return parser


def ids(of: PreTrainedTokenizerFast, text: str) -> list[int]:
    return [*of.encode(text, add_special_tokens=False), 0]


def read(parser: AnswerParser, written: Sequence[int], last: bool = True) -> list[Token]:
    """The tokens one by one. The `last` of them ends the answer."""
    parts = [parser.read([token(i)], last and n == len(written) - 1) for n, i in enumerate(written)]
    return [t for part in parts for t in part]


EXPECTED = (SAID.strip(), "", [("add", json.loads(A)), ("echo", json.loads(B))])
CASES = [
    (TOOLS, CALLS, HERMES, EXPECTED),
    (replace(TOOLS, tool_choice="required"), REQUIRED, HERMES, ("", *EXPECTED[1:])),
    (replace(TOOLS, tool_choice="add"), A, HERMES, ("", "", EXPECTED[2][:1])),
    (replace(TOOLS, parallel_tool_calls=False), CALLS, HERMES, (*EXPECTED[:2], EXPECTED[2][:1])),
    (TOOLS, f"Hm, 2 or 3?</think>{CALLS}", THINKS, (EXPECTED[0], "Hm, 2 or 3?", EXPECTED[2])),
    (Features(), "<think>Well.</think>Yes.", THINKS, ("Yes.", "Well.", [])),
    (TOOLS, "Only <b>text</b>, 2 < 3.", HERMES, ("Only <b>text</b>, 2 < 3.", "", [])),
]


@pytest.mark.parametrize(("features", "text", "form", "expected"), CASES)
def test_each_part_arrives_as_what_it_is(
    large: PreTrainedTokenizerFast, features: Features, text: str, form: ChatFormat, expected: Any
) -> None:
    answer, parser, written = Answer(), opened(large, features, form=form), ids(large, text)
    tokens = read(parser, written)
    answer.add(tokens)
    assert answer.whole == expected
    read_ids = [t.id for t in tokens][: len(written)]
    assert read_ids == written[: len(read_ids)]
    assert parser.is_over or len(read_ids) == len(written)
    assert parser.finish("stop") == ("tool_calls" if expected[2] else "stop")
    assert parser.finish("length") == "length"
    assert len({c[0] for c in answer.calls.values()}) == len(answer.calls)


@pytest.mark.parametrize(("features", "text", "form", "expected"), CASES)
def test_a_seam_at_every_token_loses_nothing_and_tells_nothing_twice(
    large: PreTrainedTokenizerFast, features: Features, text: str, form: ChatFormat, expected: Any
) -> None:
    written = ids(large, text)
    for cut in range(len(written)):
        first = read(opened(large, features, form=form), written[:cut], last=False)
        after = opened(large, features, written[:cut], Written.of(first), form)
        answer = Answer()
        answer.add([*first, *read(after, written[cut:])])
        assert answer.whole == expected, cut


@pytest.mark.parametrize(("features", "text", "form", "expected"), CASES)
def test_a_seam_between_tokenizers_does_so_too(
    small: PreTrainedTokenizerFast,
    large: PreTrainedTokenizerFast,
    features: Features,
    text: str,
    form: ChatFormat,
    expected: Any,
) -> None:
    written = ids(large, text)
    for cut in range(len(written)):
        begun = large.decode(written[:cut])
        if "\ufffd" in begun:  # no seam splits a character
            continue
        first = read(opened(large, features, form=form), written[:cut], last=False)
        kept = small.encode(begun, add_special_tokens=False)
        after = opened(small, features, kept, Written.of(first), form)
        answer = Answer()
        answer.add([*first, *read(after, ids(small, text[len(begun) :]))])
        assert answer.whole == expected, cut


REPEATED = [
    (["1", "1"], ["1"]),
    (["1", "2", "1", "3"], ["1", "2"]),
    (["12", "1", "12"], ["12", "1"]),
    (["1", "12", "13"], ["1", "12", "13"]),
]


@pytest.mark.parametrize(("written", "told"), REPEATED)
def test_a_forced_call_that_is_there_already_ends_the_answer(
    large: PreTrainedTokenizerFast, written: list[str], told: list[str]
) -> None:
    calls = ",".join(f'{{"name": "add", "parameters": {{"a":{a}}}}}' for a in written)
    required, all_ids = replace(TOOLS, tool_choice="required"), ids(large, f"[{calls}]")
    for cut in range(len(all_ids)):
        parser, answer = opened(large, required), Answer()
        first = read(parser, all_ids[:cut], last=False)
        after = opened(large, required, all_ids[:cut], Written.of(first))
        answer.add([*first, *read(after, all_ids[cut:])])
        assert answer.whole == ("", "", [("add", {"a": int(a)}) for a in told]), cut
        assert after.is_over == (written != told)
        assert after.finish("stop") == "tool_calls"


def test_where_calls_are_not_forced_the_model_decides(large: PreTrainedTokenizerFast) -> None:
    call = f'<tool_call>\n{{"name": "add", "arguments": {A}}}\n</tool_call>'
    parser, answer = opened(large, TOOLS), Answer()
    answer.add(read(parser, ids(large, f"{call}\n{call}")))
    assert not parser.is_over
    assert [name for name, _ in answer.whole[2]] == ["add", "add"]


def test_after_the_only_call_that_may_be_made_the_answer_is_over(large: PreTrainedTokenizerFast) -> None:
    parser = opened(large, replace(TOOLS, parallel_tool_calls=False))
    read(parser, ids(large, CALLS + CALLS))
    assert parser.is_over


KINDS = [
    (TOOLS, f'Yes: <tool_call>\n{{"name": "add", "arguments": {A}}}\n</tool_call>', "Yes: 12x"),
    (replace(TOOLS, tool_choice="required"), REQUIRED, '12xa } \\"é\\" <tool'),
    (replace(TOOLS, tool_choice="echo"), B, 'a } \\"é\\" <tool'),
]


@pytest.mark.parametrize(("features", "text", "content"), KINDS)
def test_marks_names_and_keys_are_form(
    large: PreTrainedTokenizerFast, features: Features, text: str, content: str
) -> None:
    written = ids(large, text)
    tokens = read(opened(large, features), written)[: len(written)]
    texts = PieceDecoder(large.backend_tokenizer, skip_special_tokens=False)
    judged = "".join(piece for t in tokens if (piece := texts.push(t.id)) and not t.is_form)
    assert judged.replace("<end>", "").replace(" ", "") == content.replace(" ", "")


def test_an_id_of_a_call_is_the_same_on_every_replica(large: PreTrainedTokenizerFast) -> None:
    answers = [Answer(), Answer()]
    for answer in answers:
        answer.add(read(opened(large, TOOLS), ids(large, CALLS)))
    assert answers[0].calls == answers[1].calls


def test_without_tools_or_reasoning_nothing_is_parsed(large: PreTrainedTokenizerFast) -> None:
    parsers = AnswerParsers(large, large.backend_tokenizer, HERMES, frozenset({0}))
    plain = SegmentRequest(SegmentKey("s", 0), "m", PROMPT, 0, Sampling(max_tokens=9))
    assert parsers.open(plain) is None
    assert parsers.open(replace(plain, features=replace(TOOLS, tool_choice="none"))) is None
