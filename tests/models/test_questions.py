from collections import Counter

import pytest

from models import questions
from models.families import arithmetic, biography

SAMPLE = [q for split in ("train", "validation", "test") for q in questions.sample(split, 11, 200)]


def test_splits_never_overlap() -> None:
    prompts = {
        split: {q.prompt for seed in (0, 1) for q in questions.sample(split, seed, 300)}
        for split in ("train", "validation", "test")
    }
    assert not prompts["train"] & prompts["test"]
    assert not prompts["train"] & prompts["validation"]
    assert not prompts["validation"] & prompts["test"]


def test_a_seed_gives_the_same_questions_and_another_seed_others() -> None:
    assert questions.sample("test", 5, 20) == questions.sample("test", 5, 20)
    assert questions.sample("test", 5, 20) != questions.sample("test", 6, 20)


def test_families_take_turns() -> None:
    assert Counter(q.family for q in questions.sample("test", 0, 20)) == {"arithmetic": 10, "biography": 10}


def test_canonical_answers_are_right() -> None:
    assert all(questions.is_correct(q, q.answer) for q in SAMPLE)
    assert all(questions.first_wrong_character(q, q.answer) is None for q in SAMPLE)


@pytest.mark.parametrize("question", SAMPLE[:40], ids=lambda q: q.family)
def test_a_changed_digit_or_name_is_wrong(question: questions.Question) -> None:
    last_digit = max(i for i, c in enumerate(question.answer + "0") if c.isdigit())
    text = question.answer
    if last_digit < len(text):
        text = text[:last_digit] + str((int(text[last_digit]) + 1) % 10) + text[last_digit + 1 :]
    else:
        text = text[:-2] + "x."
    assert not questions.is_correct(question, text)
    assert questions.first_wrong_character(question, text) is not None


@pytest.mark.parametrize("text", ["", "So the answer is 4.", "no idea"])
def test_other_answers_are_wrong(text: str) -> None:
    for q in SAMPLE[:10]:
        assert not questions.is_correct(q, text)


def test_a_false_step_spoils_a_right_result() -> None:
    q = questions.Question(arithmetic.NAME, "", "12+3: 2+3=5, 1+0=1, so 15. So the answer is 15.")
    assert questions.is_correct(q, q.answer)
    assert not questions.is_correct(q, "12+3: 2+3=6, 1+0=1, so 15. So the answer is 15.")


def test_half_of_the_world_is_known_to_small() -> None:
    names = {p.name for p in biography.WORLD}
    assert len(names) == biography.WORLD_SIZE
    assert len(biography.KNOWN_TO_SMALL) == biography.WORLD_SIZE // 2
    assert names > biography.KNOWN_TO_SMALL


def test_where_a_text_goes_wrong() -> None:
    q = questions.Question("arithmetic", "", "1+1: so 2.")
    assert questions.first_wrong_character(q, "1+1: so 3.") == 8
    assert questions.first_wrong_character(q, "1+1: s") == 6
