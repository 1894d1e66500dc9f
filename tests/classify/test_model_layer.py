import math

import pytest

from ghostrouter.classify.model_layer import ModelLayer
from ghostrouter.classify.router_prompt import router_prompt
from ghostrouter.errors import ConfigError
from ghostrouter.replay.tokenizers import ChatTokenizer
from tests.shipped import MODELS

TOKENIZER = ChatTokenizer(str(MODELS / "ghost-small"))


def layer(*tasks: str, threshold: float = 0.5) -> ModelLayer:
    return ModelLayer(tasks, threshold, TOKENIZER.encode, TOKENIZER.encode_chat)


def first(task: str) -> int:
    return TOKENIZER.encode(task)[0]


def test_the_likeliest_task_is_the_label_with_its_own_probability() -> None:
    found = layer("math", "code").classify({first("math"): math.log(0.6), first("code"): math.log(0.3), 5: -9.0})
    assert found is not None
    assert (found.task, found.layer, round(found.confidence, 6)) == ("math", "model", 0.6)


@pytest.mark.parametrize("logprobs", [{}, {first("math"): math.log(0.4)}, {first("code") + 1: -0.01}])
def test_it_abstains_below_the_threshold_and_when_no_task_is_likely(logprobs: dict[int, float]) -> None:
    assert layer("math", "code").classify(logprobs) is None


def test_tasks_that_begin_alike_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot tell the tasks math and math_proofs apart"):
        layer("math", "math_proofs")


def test_the_prompt_is_the_one_of_training_up_to_the_answer() -> None:
    text = TOKENIZER.backend.decode(list(layer("math").prompt("1+1?")), skip_special_tokens=False)
    assert router_prompt("1+1?") in text


def test_of_a_long_question_the_beginning_and_the_end_are_asked() -> None:
    asked = router_prompt("a" * 5000 + "middle" + "z" * 5000)
    assert len(asked) < 2200
    assert "aaa\n...\nzzz" in asked
