"""Fields that do not change the answer: accepted by every API, and sent to the providers that understand them."""

from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.api import chat_request, messages_request, responses_request
from ghostrouter.config import CloudModel
from ghostrouter.conversation import Features, Message
from ghostrouter.providers import anthropic, openai
from ghostrouter.redact.prompt import PromptRedactor
from ghostrouter.redact.vault import Vault
from ghostrouter.types import CloudPrompt, Sampling

ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
FIELDS = {"user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "prompt_cache_retention": "24h"}
OTHERS = {"metadata": {"a": "b"}, "store": True, "service_tier": "auto"}
MARK = {"cache_control": {"type": "ephemeral"}}
MARKED = {"type": "text", "text": "hi", **MARK}


def test_chat_completions_accept_them() -> None:
    told = chat_request.from_wire({**ASKED, **FIELDS, **OTHERS, "messages": [{"role": "user", "content": [MARKED]}]})
    assert dict(told.features.hints) == {**FIELDS, "cache_control": "ephemeral"}
    assert chat_request.from_wire({**ASKED, **OTHERS}) == chat_request.from_wire(ASKED)


def test_responses_accept_them() -> None:
    told = responses_request.from_wire({"model": "m", "input": "hi", **FIELDS, **OTHERS})
    assert dict(told.call.features.hints) == FIELDS


@pytest.mark.parametrize(
    "change",
    [{"system": [MARKED]}, {"messages": [{"role": "user", "content": [MARKED]}]}, MARK,
     {"tools": [{"name": "f", "input_schema": {}, **MARK}]}],
)  # fmt: skip
def test_messages_accept_them(change: Any) -> None:
    body = {**ASKED, "max_tokens": 5, "metadata": {"user_id": "u"}, "service_tier": "auto", **change}
    assert dict(messages_request.from_wire(body).features.hints) == {"user": "u", "cache_control": "ephemeral"}


def prompt(**hints: str) -> CloudPrompt:
    return CloudPrompt((Message("user", "hi"),), "restart", "", 3, features=Features(hints=tuple(hints.items())))


def row(provider: str) -> CloudModel:
    return CloudModel.model_validate({"provider": provider, "model": "m"})


def test_a_provider_gets_what_it_understands() -> None:
    asked, hints = prompt(cache_control="ephemeral", **FIELDS), {"metadata", "cache_control", *FIELDS}
    told = openai.to_wire(row("openai"), asked, Sampling(9))
    assert {k: v for k, v in told.items() if k in hints} == FIELDS
    assert not hints & openai.to_wire(row("groq"), asked, Sampling(9)).keys()
    told = anthropic.to_wire(row("anthropic"), asked, Sampling(9))
    assert {k: told[k] for k in hints & told.keys()} == {
        "metadata": {"user_id": "u"}, "cache_control": {"type": "ephemeral"},
    }  # fmt: skip


def test_they_are_redacted_like_the_prompt() -> None:
    redacted = PromptRedactor(Vault()).prompt(prompt(user="ada.lovelace@example.com"))
    assert "lovelace" not in str(openai.to_wire(row("openai"), redacted, Sampling(9)))


def test_a_wished_effort_goes_to_models_that_reason() -> None:
    wish = replace(prompt(), features=Features(wished_effort="high"))
    thinks = row("openai").model_copy(update={"reasons": True})
    assert openai.to_wire(thinks, wish, Sampling(9))["reasoning_effort"] == "high"
    assert "reasoning_effort" not in openai.to_wire(row("openai"), wish, Sampling(9))
