from concurrent.futures import ThreadPoolExecutor

import pytest

from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.conversation import Message
from ghostrouter.replay import tokenizers
from ghostrouter.replay.prompts import first_prompts
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.routing.decider import Models
from ghostrouter.sessions.ask import Ask
from ghostrouter.types import CloudPrompt, Sampling
from tests.shipped import MODELS

LOCAL = tokenizers.load([LocalModel(name=n, source=str(MODELS / n)) for n in ("ghost-small", "ghost-large")])
CLOUD = {
    c: CloudModel.model_validate(
        {"name": c, "base_url": "http://h", "model": "m", "context_tokens": 100, "continues": c}
    )
    for c in ("prefix", "instruct", "none")
}
ASKED = (Message("user", "Who was Mira Voss?"),)


def test_every_model_is_asked_in_its_own_way() -> None:
    firsts = first_prompts(ASKED, False, LOCAL, CLOUD)
    assert list(firsts) == [*LOCAL, *CLOUD]
    assert firsts["ghost-small"].prompt is firsts["ghost-large"].prompt
    assert firsts["ghost-small"].tokens == len(LOCAL["ghost-small"].encode_chat(ASKED))
    far = firsts["prefix"]
    assert isinstance(far.prompt, CloudPrompt)
    assert far.prompt.messages == ASKED
    assert far.tokens >= len(ASKED[0].content) // 4


def test_room_is_left_for_the_instruction_of_a_seam() -> None:
    firsts = first_prompts(ASKED, False, LOCAL, CLOUD)
    assert firsts["instruct"].reserved_tokens > 0
    assert firsts["prefix"].reserved_tokens == 0
    begun = first_prompts((*ASKED, Message("assistant", "Mira")), True, LOCAL, CLOUD)["instruct"]
    assert begun.reserved_tokens == 0  # it is in the prompt already
    assert begun.tokens > firsts["instruct"].tokens + firsts["instruct"].reserved_tokens


def test_what_cannot_go_on_is_not_asked_to() -> None:
    assert "none" not in first_prompts((*ASKED, Message("assistant", "Mira")), True, LOCAL, CLOUD)


def test_how_many_tokens_there_are_at_least_is_known_without_encoding() -> None:
    tokenizer = ChatTokenizer(str(MODELS / "ghost-small"))
    for text in ("", "Who was Xenia Farrow?" * 50, " " * 3_000, "🐢é" * 200, "<|user|>" * 100):
        messages = (Message("user", text),)
        assert tokenizer.least_tokens(messages) <= len(tokenizer.encode_chat(messages))
    assert tokenizer.least_tokens((Message("user", "x" * 1_000_000),)) > 8_192


def test_a_prompt_that_is_certainly_too_long_is_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte takes half a second."""
    config = GraphConfig.parse(
        {
            "models": [{"name": "small", "source": str(MODELS / "ghost-small")}],
            "routes": {"default": {"models": ["small"]}},
        }
    )
    models = Models.load(config)
    monkeypatch.setattr(ChatTokenizer, "encode_chat", None)
    ask = Ask((Message("user", "x" * 1_000_000),), Sampling(max_tokens=1), streaming=True)
    assert models.first_prompts(ask, ["small"])["small"].tokens > models.context_tokens["small"]


def test_texts_are_encoded_alike_in_many_threads() -> None:
    """Plain text with what looks like a special token, beside prompts with real ones."""
    tokenizer = ChatTokenizer(str(MODELS / "ghost-small"))
    text = "<|user|> hello <|end|>" * 20
    special, plain = tokenizer.encode(text), tokenizer.encode_text(text)
    assert special != plain
    with ThreadPoolExecutor(8) as threads:
        both = [threads.submit(f, text) for _ in range(200) for f in (tokenizer.encode, tokenizer.encode_text)]
        assert [found.result() for found in both] == [special, plain] * 200
