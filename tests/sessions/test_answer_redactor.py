"""An answer as it may leave where answers are redacted: nothing is lost, whatever ends it."""

import json
from dataclasses import replace

import pytest

from ghostrouter.conversation import Features, Message
from ghostrouter.redact.policy import Behalf, Discretion
from ghostrouter.sessions.answer_redactor import AnswerRedactor
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Growth
from ghostrouter.types import FinishReason, ReasoningPart, Sampling, SegmentKey, Token, ToolCallPart
from tests.make import token

MAIL = "anna@example.com"
SEGMENT = Segment(SegmentKey("s", 0), "far", "plan", 0.0, 0.0)
ASK = Ask((Message("user", "?"),), Sampling(10), streaming=True, behalf=Behalf(discretion=Discretion("strict")))


def growth(text: str = "", *tokens: Token, start: int = 0, finish: FinishReason | None = None) -> Growth:
    return Growth(SEGMENT, start, tokens, text, finish)


def reasoning(text: str) -> Token:
    return token("")._replace(aside=ReasoningPart(text))


def tool(arguments: str, number: int = 0) -> Token:
    return token("")._replace(aside=ToolCallPart(number, arguments=arguments))


def thought(growths: list[Growth]) -> str:
    return "".join(t.aside.text for g in growths for t in g.tokens if isinstance(t.aside, ReasoningPart))


def arguments(growths: list[Growth], number: int = 0) -> str:
    parts = [t.aside for g in growths for t in g.tokens if isinstance(t.aside, ToolCallPart)]
    return "".join(p.arguments for p in parts if p.number == number)


def test_only_strict_answers_are_redacted() -> None:
    assert AnswerRedactor.of(ASK) is not None
    assert AnswerRedactor.of(replace(ASK, behalf=Behalf(discretion=Discretion("auto")))) is None


@pytest.mark.parametrize("finish", ["stop", "length", "tool_calls"])
def test_what_is_held_comes_with_the_end_though_it_has_no_tokens(finish: FinishReason) -> None:
    redactor = AnswerRedactor()
    growths = [redactor.push(growth("", reasoning("ask bob"))), redactor.push(growth("see bob"))]
    growths.append(redactor.push(growth(finish=finish)))
    assert "".join(g.text for g in growths) == "see bob"
    assert thought(growths) == "ask bob"
    call = AnswerRedactor()
    growths = [call.push(growth("", tool('{"to": "bob'))), call.push(growth(finish=finish))]
    assert arguments(growths) == '{"to": "bob'


def test_what_is_held_comes_when_the_answer_fails() -> None:
    redactor = AnswerRedactor()
    growths = [redactor.push(growth("see bob", tool('{"to": "bob'), start=4))]
    rest = redactor.flush()
    assert rest is not None and (rest.start, rest.finish) == (5, None)
    growths.append(rest)
    assert "".join(g.text for g in growths) == "see bob"
    assert arguments(growths) == '{"to": "bob'
    assert redactor.flush() is None


def test_reasoning_ends_before_the_text_and_text_before_a_tool_call() -> None:
    redactor = AnswerRedactor()
    growths = [redactor.push(growth("", reasoning(f"ask {MAIL}"))), redactor.push(growth(f"I ask {MAIL}"))]
    assert thought(growths) == "ask [EMAIL_1]"
    growths.append(redactor.push(growth("", tool("{"))))
    assert "".join(g.text for g in growths) == "I ask [EMAIL_1]"


def test_arguments_stay_json() -> None:
    redactor = AnswerRedactor()
    written = json.dumps({"text": f"line\n{MAIL}", "card": 4111111111111111})
    growths = [redactor.push(growth("", tool(c))) for c in written] + [redactor.push(growth(finish="tool_calls"))]
    assert json.loads(arguments(growths)) == {"text": "line\n[EMAIL_1]", "card": "[CARD_1]"}


def test_an_answer_that_is_json_stays_json() -> None:
    redactor = AnswerRedactor.of(replace(ASK, features=Features(json_object=True)))
    assert redactor is not None
    written = json.dumps({"text": f"line\n{MAIL}", "card": 4111111111111111})
    growths = [redactor.push(growth(c)) for c in written] + [redactor.push(growth(finish="stop"))]
    assert json.loads("".join(g.text for g in growths)) == {"text": "line\n[EMAIL_1]", "card": "[CARD_1]"}


def test_addresses_are_taken_out_where_they_are_asked_for() -> None:
    for addresses, out in ((False, "Hauptstraße 12a, 10115 Berlin"), (True, "[ADDRESS_1]")):
        redactor = AnswerRedactor(addresses)
        assert redactor.push(growth("Hauptstraße 12a, 10115 Berlin", finish="stop")).text == out
