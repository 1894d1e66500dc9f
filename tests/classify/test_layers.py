from collections.abc import Sequence

import numpy as np
import pytest

from ghostrouter.classify.rules import Rules
from ghostrouter.classify.semantic import Embeddings, Semantic, sentence_encoder
from ghostrouter.errors import ConfigError


def test_the_first_rule_that_matches_wins() -> None:
    rules = Rules({"math": [r"\d+ plus \d+"], "code": [r"\bpython\b", r"plus"]})
    found = rules.classify("What is 1 plus 2 in Python?")
    assert found is not None
    assert (found.task, found.layer) == ("math", "rules")
    assert rules.classify("Tell me a story.") is None


def test_a_broken_rule_is_named() -> None:
    with pytest.raises(ConfigError, match=r"routes.math.rules: '\('"):
        Rules({"math": ["("]})


def letters(texts: Sequence[str]) -> Embeddings:
    """Texts as unit vectors of letter counts."""
    counts = np.array([[t.count(c) for c in "abc"] for t in texts], dtype=np.float32) + 1e-6
    vectors: Embeddings = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return vectors


def test_the_closest_example_decides_or_nothing() -> None:
    semantic = Semantic({"x": ["aaa", "aab"], "y": ["bbb"]}, threshold=0.8, encode=letters)
    found = semantic.classify("bb")
    assert found is not None
    assert (found.task, found.layer) == ("y", "semantic")
    assert semantic.classify("ccc") is None
    assert Semantic({}, 0.5, letters).classify("a") is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bundled_encoder_knows_meanings() -> None:
    encode = sentence_encoder("all-MiniLM-L6-v2")
    semantic = Semantic({"code": ["Write a Python function."], "cooking": ["How do I bake bread?"]}, 0.2, encode)
    found = semantic.classify("Please write a function in Rust that sorts a list.")
    assert found is not None
    assert found.task == "code"
