"""What a call costs at most, before it is made."""

import json
from collections.abc import Iterator, Mapping

from ghostrouter.catalog.rows import Kind
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.money import Usage
from ghostrouter.policy.value import cost_usd, dearest
from ghostrouter.types import CloudPrompt, Prompt

# What a provider puts around a message, a call or a tool.
_FRAME_TOKENS = 16
# A picture as large as the provider takes it: eight tiles and a base of GPT-4o mini's, sixteen tiles of Gemini's.
_MOST_PER_IMAGE: Mapping[Kind, int] = {"openai": 48_200, "anthropic": 5_000, "gemini": 5_000}


def worst_usd(model: LocalModel | CloudModel, prompt: Prompt, max_tokens: int) -> float:
    """US dollars for a prompt and every token of the answer, each counted as whichever kind of token is dearest."""
    if not isinstance(model, CloudModel) or not isinstance(prompt, CloudPrompt):
        asked = len(prompt) if isinstance(prompt, tuple) else _most_tokens(prompt, 0)
        return cost_usd(dearest(model.price), Usage(asked, max_tokens))
    asked = _most_tokens(prompt, _MOST_PER_IMAGE[model.kind])
    return cost_usd(dearest(model.price), Usage(asked, max_tokens + model.echo_window_tokens))


def _most_tokens(prompt: CloudPrompt, per_image: int) -> int:
    """No tokenizer makes more tokens than there are bytes."""
    said = sum(_FRAME_TOKENS + _bytes(text) for m in prompt.messages for text in _texts(m))
    pictures = sum(isinstance(part, Image) for m in prompt.messages for part in m.parts)
    return said + per_image * pictures + sum(_FRAME_TOKENS + _bytes(t) for t in _told(prompt.features))


def _texts(message: Message) -> Iterator[str]:
    yield message.content + message.tool_call_id
    for call in message.tool_calls:
        yield call.id + call.name + call.arguments


def _told(features: Features) -> Iterator[str]:
    for tool in features.tools:
        yield tool.name + tool.description + json.dumps(tool.parameters, ensure_ascii=False)
    if features.schema:
        yield features.schema.name + json.dumps(features.schema.schema, ensure_ascii=False)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
