from typing import Any

import pytest

from ghostrouter.api.completion_request import from_wire
from ghostrouter.conversation import PROMPT, Message
from ghostrouter.errors import InvalidRequest, SeamRefused
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.replay.tokenizers import ChatTokenizer
from tests.shipped import MODELS

ASKED: dict[str, Any] = {"model": "m", "prompt": "Once upon"}


def test_a_prompt_is_the_only_message() -> None:
    (call,) = from_wire({**ASKED, "logprobs": 2, "stop": "x", "stream_options": {"include_usage": True}})
    assert call.messages == (Message(PROMPT, "Once upon"),)
    assert (call.max_tokens, call.logprobs, call.top_logprobs, call.stop) == (16, True, 2, ("x",))
    assert call.include_usage and call.needs.bare_prompt and not call.continue_final


def test_each_prompt_is_a_call() -> None:
    first, second = from_wire({**ASKED, "prompt": ["a", "b"], "n": 3})
    assert [c.messages[0].content for c in (first, second)] == ["a", "b"]
    assert first.n == second.n == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": None}, "`prompt`"),
        ({"prompt": ""}, "`prompt`"),
        ({"prompt": []}, "`prompt`"),
        ({"prompt": [1, 2]}, "token ids are not supported"),
        ({"prompt": [[1, 2]]}, "token ids are not supported"),
        ({"echo": True}, "`echo`"),
        ({"suffix": "end"}, "`suffix`"),
        ({"best_of": 2}, "`best_of`"),
        ({"n": 9, "prompt": ["a", "b"]}, "`n`"),
        ({"ghost": {"signals": True}}, "`ghost.signals`"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        from_wire({**ASKED, **change})
    assert words in str(refused.value)


def test_a_bare_prompt_has_no_template_around_it() -> None:
    tokenizer = ChatTokenizer(str(MODELS / "ghost-small"))
    ids = tokenizer.encode_chat((Message(PROMPT, "Once upon"),))
    assert tokenizer.decode(ids) == "Once upon"
    assert len(ids) < len(tokenizer.encode_chat((Message("user", "Once upon"),)))


def test_no_cloud_model_goes_on_with_one() -> None:
    from ghostrouter.config import CloudModel

    row = CloudModel.model_validate({"provider": "anthropic", "model": "m"})
    with pytest.raises(SeamRefused):
        cloud_prompt(row, (Message(PROMPT, "Once upon"),), False, "")
