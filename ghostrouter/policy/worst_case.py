"""The highest possible cost of a call, before it is made."""

import json
from collections.abc import Iterator, Mapping

from ghostrouter.catalog.rows import Kind
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.money import Usage
from ghostrouter.policy.value import cost_usd, dearest
from ghostrouter.types import CloudPrompt, Prompt, Sampling

# Tokens that a provider adds to a message, a tool call or a tool.
_FRAME_TOKENS = 16
# The largest image of each protocol: eight tiles and the base of GPT-4o mini, sixteen tiles of Gemini.
_MAX_TOKENS_PER_IMAGE: Mapping[Kind, int] = {"openai": 48_200, "anthropic": 5_000, "gemini": 5_000}


def longest_answer(model: LocalModel | CloudModel, sampling: Sampling) -> int:
    """How many tokens an answer may have: what was asked for, or, of a model of the cloud, all that it can write."""
    if not isinstance(model, CloudModel) or sampling.wants("max_tokens"):
        return sampling.max_tokens
    return min(model.max_output_tokens or model.context_tokens, model.context_tokens)


def worst_usd(model: LocalModel | CloudModel, prompt: Prompt, max_tokens: int) -> float:
    """The cost in US dollars if the answer has `max_tokens` tokens and every token has the highest price of its
    kind.
    """
    if not isinstance(model, CloudModel) or not isinstance(prompt, CloudPrompt):
        asked = len(prompt) if isinstance(prompt, tuple) else _max_tokens(prompt, 0)
        return cost_usd(dearest(model.price), Usage(asked, max_tokens))
    asked = _max_tokens(prompt, _MAX_TOKENS_PER_IMAGE[model.kind])
    return cost_usd(dearest(model.price), Usage(asked, max_tokens + model.echo_window_tokens))


def _max_tokens(prompt: CloudPrompt, per_image: int) -> int:
    """An upper bound of the prompt's tokens: no tokenizer makes more tokens than there are bytes."""
    said = sum(_FRAME_TOKENS + _bytes(text) for m in prompt.messages for text in _texts(m))
    pictures = sum(isinstance(part, Image) for m in prompt.messages for part in m.parts)
    return said + per_image * pictures + sum(_FRAME_TOKENS + _bytes(t) for t in _feature_texts(prompt.features))


def _texts(message: Message) -> Iterator[str]:
    yield message.content + message.tool_call_id
    for call in message.tool_calls:
        yield call.id + call.name + call.arguments


def _feature_texts(features: Features) -> Iterator[str]:
    for tool in features.tools:
        yield tool.name + tool.description + json.dumps(tool.parameters, ensure_ascii=False)
    if features.schema:
        yield features.schema.name + json.dumps(features.schema.schema, ensure_ascii=False)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
