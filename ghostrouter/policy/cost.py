"""What a call costs: in fact, from its usage, and at most, before it is made.

Budgets, `ghost.budget_usd`, traces and metrics all use these functions. The cost of an answer is the sum over its
segments (`ghostrouter.events.trace`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ghostrouter.catalog.rows import Kind
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Features, Image, Message
from ghostrouter.money import Price, Usage
from ghostrouter.sessions.segment import Segment
from ghostrouter.types import CloudPrompt, Prompt

# Tokens that a provider adds to a message, a tool call or a tool.
_ADDED_TOKENS = 16
_MAX_TOKENS_PER_LOCAL_IMAGE = 16_384  # of Qwen2-VL by default
# The largest image of each protocol: eight tiles and the base of GPT-4o mini, sixteen tiles of Gemini.
_MAX_TOKENS_PER_IMAGE: Mapping[Kind, int] = {"openai": 48_200, "anthropic": 5_000, "gemini": 5_000}


def price_usd(
    price: Price,
    prompt_tokens: float,
    completion_tokens: float,
    cached_tokens: float = 0.0,
    reasoning_tokens: float = 0.0,
    cache_write_tokens: float = 0.0,
) -> float:
    """The price of a call in US dollars.

    Of the prompt tokens, `cached_tokens` were in the provider's cache, and `cache_write_tokens` are written to it. Of
    the completion tokens, `reasoning_tokens` are not part of the answer.
    """
    cached = price.prompt_usd_per_mtok if price.cached_usd_per_mtok is None else price.cached_usd_per_mtok
    write = price.prompt_usd_per_mtok if price.cache_write_usd_per_mtok is None else price.cache_write_usd_per_mtok
    reasoning = price.completion_usd_per_mtok if price.reasoning_usd_per_mtok is None else price.reasoning_usd_per_mtok
    uncached, visible = prompt_tokens - cached_tokens - cache_write_tokens, completion_tokens - reasoning_tokens
    tokens_usd = (
        uncached * price.prompt_usd_per_mtok
        + cached_tokens * cached
        + cache_write_tokens * write
        + visible * price.completion_usd_per_mtok
        + reasoning_tokens * reasoning
    ) / 1e6
    return price.request_usd + tokens_usd


def cost_usd(price: Price, usage: Usage) -> float:
    """The cost of a call, from its usage."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    return price_usd(price, prompt, completion, usage.cached_tokens, usage.reasoning_tokens, usage.cache_write_tokens)


def dearest(price: Price) -> Price:
    """The highest price of each kind of token. Budgets reserve by it."""
    return replace(
        price,
        prompt_usd_per_mtok=max(
            price.prompt_usd_per_mtok, price.cached_usd_per_mtok or 0.0, price.cache_write_usd_per_mtok or 0.0
        ),
        completion_usd_per_mtok=max(price.completion_usd_per_mtok, price.reasoning_usd_per_mtok or 0.0),
        cached_usd_per_mtok=None,
        cache_write_usd_per_mtok=None,
        reasoning_usd_per_mtok=None,
    )


def bill(segment: Segment, prices: Mapping[str, Price]) -> None:
    """Set what a segment has cost so far. The cost of a model that is not configured is not known (None)."""
    price = prices.get(segment.model)
    segment.cost_usd = None if price is None else cost_usd(price, segment.used)


def most_usd(price: Price, prompt_tokens: int, completion_tokens: int) -> float:
    """The highest cost of these tokens: each has the highest price of its kind."""
    return cost_usd(dearest(price), Usage(prompt_tokens, completion_tokens))


def worst_usd(model: LocalModel | CloudModel, prompt: Prompt, max_tokens: int, images: int = 0) -> float:
    """The highest possible cost of a call whose answer has at most `max_tokens` tokens.

    `images` is the number of images in the conversation. A prompt of token ids does not say what they take.
    """
    if not isinstance(prompt, CloudPrompt):
        return most_usd(model.price, len(prompt) + images * _MAX_TOKENS_PER_LOCAL_IMAGE, max_tokens)
    if not isinstance(model, CloudModel):
        return most_usd(model.price, _max_tokens(prompt, 0), max_tokens)
    prompt_tokens = _max_tokens(prompt, _MAX_TOKENS_PER_IMAGE[model.kind])
    return most_usd(model.price, prompt_tokens, max_tokens + model.echo_window_tokens)


def longest_answer(model: LocalModel | CloudModel, room_tokens: int, asked_tokens: int | None) -> int:
    """How many tokens an answer may have: at most what the client asks for (None: no limit).

    `room_tokens` is exact for a local model. For a cloud model it is an estimate, so its output limit counts instead.
    """
    most = max(0, room_tokens)
    if isinstance(model, CloudModel):
        most = min(model.max_output_tokens or model.context_tokens, model.context_tokens)
    return most if asked_tokens is None else min(asked_tokens, most)


def _max_tokens(prompt: CloudPrompt, per_image: int) -> int:
    """An upper bound of the prompt's tokens: no tokenizer makes more tokens than there are bytes."""
    said = sum(_ADDED_TOKENS + _bytes(text) for m in prompt.messages for text in _texts(m))
    pictures = sum(isinstance(part, Image) for m in prompt.messages for part in m.parts)
    return said + per_image * pictures + sum(_ADDED_TOKENS + _bytes(t) for t in _feature_texts(prompt.features))


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
