import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import re2
import yaml

from ghostrouter.classify import builtin, ngrams, rules
from ghostrouter.classify.encoder import Layers, cached, sentence_encoder
from ghostrouter.classify.head import Head
from ghostrouter.classify.rules import Rules
from ghostrouter.classify.semantic import Semantic
from ghostrouter.classify.structure import structure
from ghostrouter.errors import ConfigError
from tests.shipped import ROOT


def test_the_first_rule_that_matches_wins() -> None:
    rules = Rules({"math": [r"\d+ plus \d+"], "code": [r"\bpython\b", r"plus"]})
    found = rules.classify("What is 1 plus 2 in Python?")
    assert found is not None
    assert (found.task, found.layer) == ("math", "rules")
    assert rules.classify("Tell me a story.") is None


def test_a_broken_rule_is_named() -> None:
    with pytest.raises(ConfigError, match=r"routes.math.rules: '\('"):
        Rules({"math": ["("]})


def letters(texts: Sequence[str]) -> Layers:
    """Texts as unit vectors of letter counts, of one depth."""
    counts = np.array([[[t.count(c) for c in "abc"]] for t in texts], dtype=np.float32) + 1e-6
    vectors: Layers = counts / np.linalg.norm(counts, axis=2, keepdims=True)
    return vectors


def test_the_closest_example_decides_or_nothing() -> None:
    semantic = Semantic({"x": ["aaa", "aab"], "y": ["bbb"]}, threshold=0.8, embed=letters)
    found = semantic.classify("bb")
    assert found is not None
    assert (found.task, found.layer) == ("y", "semantic")
    assert 0.8 <= found.confidence <= 1
    assert semantic.classify("ccc") is None
    assert Semantic({}, 0.5, letters).classify("a") is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bundled_encoder_knows_meanings() -> None:
    encode = sentence_encoder("all-MiniLM-L6-v2")
    examples = {"code": ["Write a Python function."], "cooking": ["How do I bake bread?"]}
    semantic = Semantic(examples, 0.2, encode)
    found = semantic.classify("Please write a function in Rust that sorts a list.")
    assert found is not None
    assert found.task == "code"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(a+)+\1", "linear time: invalid escape sequence"),
        (r"(?=a+)b", "linear time: invalid perl operator"),
        (r"(.{1,900}){1,900}", "linear time: invalid repetition size"),
        (r"(?:a?){1000}" * 200, "linear time: pattern too large"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused_at_load(pattern: str, words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        Rules({"math": [pattern]})
    assert words in str(refusal.value)
    assert "routes.math.rules" in str(refusal.value)


def test_nested_repetitions_cannot_hang_it() -> None:
    rules = Rules({"x": [r"(a+)+$", r"(a|aa)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*a){20}$"]})
    assert rules.classify("a" * 4000 + "!") is None


@pytest.mark.parametrize(
    ("prompt", "task"),
    [
        ("goto amazon.com", "tool_use"),
        ("write a python function", "code"),
        ("explain transformers", "reasoning"),
        ("hello", "simple_chat"),
        ("@image what is it", "vision"),
        ("Write a README for this project", "docs"),
        ("Solve x^2 = 9", "math"),
        ("Translate this into French", "translation"),
        ("Summarize this article", "summarisation"),
    ],
)
def test_the_shipped_rules_know_the_tasks(prompt: str, task: str) -> None:
    found = Rules({}, rules.read(rules.BUILTIN)).classify(prompt)
    assert found is not None
    assert (found.task, found.layer) == (task, "rules")
    assert found.reason


def test_an_attached_image_decides_whatever_is_asked() -> None:
    found = Rules({}, rules.read(rules.BUILTIN)).classify("hello", structure("hello", image=True))
    assert found is not None
    assert found.task == "vision"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", "a list of rules"),
        ("- {task: x}", "rule 1: one of `pattern`"),
        ("- {task: x, pattern: a}\n- {task: x, patern: a}", "rule 2: there is no key patern"),
        ("- {task: x, structure: poem}", "rule 1: `structure` is one of image"),
        ("- {task: x, pattern: '('}", "rule 1"),
        ("[", "the rules cannot be read"),
    ],
)
def test_a_wrong_rules_file_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        rules.read(path)
    assert words in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_words_of_a_rule_are_matched_whole(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("- {task: legal, words: [contract, c++]}")
    own = Rules({}, rules.read(path))
    assert own.classify("About my contract.") is not None
    assert own.classify("contractors") is None


def test_thresholds_are_learned_from_the_examples_where_there_are_enough() -> None:
    many = {"x": ["aaa", "aab", "aaab", "aaaa", "aaaab"], "y": ["bbb", "bbbb"]}
    learned = Semantic(many, 0.9, letters, fixed=False)
    assert learned.thresholds["y"] == 0.9
    assert learned.thresholds["x"] != 0.9
    assert set(Semantic(many, 0.9, letters).thresholds.values()) == {0.9}


def test_another_threshold_needs_no_example_again() -> None:
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> Layers:
        asked.extend(texts)
        return letters(texts)

    lenient, strict = (Semantic({"x": ["aaa", "aab"], "y": ["bbb"]}, t, encode) for t in (0.1, 1.1))
    assert asked == ["aaa", "aab", "bbb"]
    assert lenient.classify("ab") is not None
    assert strict.classify("ab") is None


def test_an_encoder_is_asked_once_for_what_it_has_seen() -> None:
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> Layers:
        asked.extend(texts)
        return np.array([[[len(t)]] for t in texts], dtype=np.float32)

    remembered = cached(encode, 2)
    assert remembered(["a", "bb", "a"]).tolist() == [[[1]], [[2]], [[1]]]
    remembered(["a", "ccc"])
    assert asked == ["a", "bb", "ccc"]
    remembered(["bb"])
    assert asked[-1] == "bb"


def test_looking_for_words_first_changes_no_decision() -> None:
    shipped = rules.read(rules.BUILTIN)
    found = Rules({}, shipped)
    written = yaml.safe_load((ROOT / "bench" / "classify_prompts.yaml").read_text())
    prompts = [p for task in written.values() for p in task]
    draw = random.Random(6)
    mixed = [" ".join(draw.choices(" ".join(prompts).split(), k=draw.randint(1, 60))) for _ in range(300)]
    for prompt in [*mixed, *prompts, *(p.upper() for p in prompts), "", " ".join(prompts[:30])]:
        seen = structure(prompt)
        one_by_one = (
            r.task
            for r in shipped
            if (r.pattern and re2.search(f"(?i){r.pattern}", prompt)) or (r.structure in seen.names)
        )
        told = found.classify(prompt, seen)
        assert (told.task if told else None) == next(one_by_one, None), prompt


def test_reading_what_is_usual_first_changes_no_decision() -> None:
    shipped = rules.read(rules.BUILTIN)
    fresh, ready = Rules({}, shipped), Rules({}, shipped, builtin.usual_prompts())
    written = yaml.safe_load((ROOT / "bench" / "classify_held_out.yaml").read_text())
    for prompt in [p for task in written.values() for p in task]:
        assert fresh.classify(prompt) == ready.classify(prompt)


def test_a_rule_that_ships_labels_no_example_of_another_task() -> None:
    found = Rules({}, rules.read(rules.BUILTIN))
    told = [(task, found.classify(t), t) for task, texts in builtin.builtin_examples().items() for t in texts]
    assert [(task, text) for task, label, text in told if label and label.task != task] == []


def test_every_example_ships_with_its_vector() -> None:
    texts = [t for utterances in builtin.builtin_examples().values() for t in utterances]
    assert len(set(texts)) == len(texts)
    assert set(builtin.keys(texts).tolist()) == set(builtin.shipped())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_vectors_that_ship_are_taken_where_the_encoder_is_theirs() -> None:
    plain = sentence_encoder(builtin.ENCODER)
    asked: list[str] = []

    def encode(texts: Sequence[str]) -> Layers:
        asked.extend(texts)
        return plain(texts)

    texts = ["What can I do for you, my friend?", *builtin.builtin_examples()["math"][:3]]
    taken, made = builtin.shipped_or(encode)(texts), plain(texts)[:, -2:]
    assert sorted(asked) == sorted(texts[:2])
    assert np.allclose(taken, made, atol=0.02)


def test_another_encoder_is_asked_for_everything() -> None:
    texts = builtin.builtin_examples()["math"][:3]
    assert builtin.shipped_or(letters)(texts).tolist() == letters(texts).tolist()


def test_an_example_that_is_left_out_is_scored_as_if_it_were_none() -> None:
    texts, of = ["aaa", "aab", "aabb", "bbb", "bba"], np.array([0, 0, 0, 1, 1])
    whole = Head(texts, letters(texts), of, 2)
    assert whole.left_out.argmax(1).tolist()[:2] == [0, 0]
    assert whole.scores("aaa", letters(["aaa"])[0])[0] > whole.left_out[0, 0]
    assert whole.scores("aaa", letters(["aaa"])[0])[0] > 0.5 > whole.scores("aaa", letters(["aaa"])[0])[1]


def test_pieces_of_a_long_text_are_those_of_its_beginning_and_end() -> None:
    assert ngrams.features("x " * 250 + "middle " * 100 + "y " * 100) == ngrams.features("x " * 250 + "\n" + "y " * 100)
    assert ngrams.features("") == []
    assert ngrams.Ngrams(["", "ab"]).matrix().shape == (2, ngrams.SIZE)
