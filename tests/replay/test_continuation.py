from typing import Any

import pytest

from ghostrouter.config import CloudModel
from ghostrouter.conversation import Message
from ghostrouter.errors import SeamRefused
from ghostrouter.replay.continuation import cloud_prompt, estimate_prompt_tokens, most_instruction_tokens
from ghostrouter.replay.language import detect, instruction

ASKED = (Message("system", "Be brief."), Message("user", "Who was Mira Voss and where did she live?"))


def model(continues: str, **more: Any) -> CloudModel:
    fields = {"name": "c", "base_url": "http://h/v1", "model": "m", "context_tokens": 1000, "continues": continues}
    return CloudModel.model_validate(fields | more)


@pytest.mark.parametrize("continues", ["prefix", "assistant", "instruct", "none"])
def test_an_answer_that_has_not_begun_is_asked_for_plainly(continues: str) -> None:
    prompt = cloud_prompt(model(continues), ASKED, False, "")
    assert (prompt.messages, prompt.continuation, prompt.kept) == (ASKED, "restart", "")
    assert prompt.prompt_tokens == estimate_prompt_tokens(ASKED)


@pytest.mark.parametrize("continues", ["prefix", "assistant"])
def test_the_last_message_is_the_answer_so_far(continues: str) -> None:
    prompt = cloud_prompt(model(continues), ASKED, False, "Mira was")
    assert prompt.messages == (*ASKED, Message("assistant", "Mira was"))
    assert (prompt.continuation, prompt.kept, prompt.instruction_tokens) == ("prefix", "Mira was", 0)


def test_an_instruction_follows_and_its_tokens_are_counted() -> None:
    target = model("instruct")
    prompt = cloud_prompt(target, ASKED, False, "Mira was")
    assert [m.role for m in prompt.messages] == ["system", "user", "assistant", "user"]
    assert (
        prompt.instruction_tokens
        == estimate_prompt_tokens(prompt.messages[-1:])
        == most_instruction_tokens(target, ASKED)
    )
    assert prompt.prompt_tokens == estimate_prompt_tokens(ASKED)
    assert most_instruction_tokens(model("prefix"), ASKED) == 0


def test_what_the_client_began_comes_before_the_answer() -> None:
    prompt = cloud_prompt(model("prefix"), (*ASKED, Message("assistant", "Mira ")), True, "was")
    assert prompt.messages == (*ASKED, Message("assistant", "Mira was"))


@pytest.mark.parametrize(("begun", "written"), [("Mira ", ""), ("", "Mira")])
def test_what_cannot_go_on_refuses_with_a_reason(begun: str, written: str) -> None:
    asked = (*ASKED, Message("assistant", begun)) if begun else ASKED
    with pytest.raises(SeamRefused, match="c cannot go on"):
        cloud_prompt(model("none"), asked, bool(begun), written)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where was she born and what was her profession?", "en"),
        ("Wie hieß die Frau, und was war ihr Beruf?", "de"),
        ("Quelle est la capitale de la France et pourquoi ?", "fr"),
        ("¿Cuál es la capital de España y cómo se llega?", "es"),
        ("Qual è il capoluogo della Toscana e perché?", "it"),
        ("Qual é a capital de Portugal e como você vai para lá?", "pt"),
        ("Wat is de hoofdstad van het land en waarom?", "nl"),
        ("法国的首都是哪里？请用 Python 写一个程序。", "zh"),
        ("フランスの首都はどこですか。", "ja"),
        ("프랑스의 수도는 어디입니까?", "ko"),
        ("Где находится столица Франции?", "ru"),
        ("ما هي عاصمة فرنسا؟", "ar"),
        ("Xyzzy 42?", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert detect(text) == language


def test_instructions_are_short_and_differ() -> None:
    questions = ("Why is the sky blue?", "Warum ist der Himmel blau?", "空はなぜ青いですか。")
    told = {instruction(q) for q in questions}
    assert len(told) == len(questions)
    assert all(len(t) < 120 for t in told)
