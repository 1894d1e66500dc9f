"""POST /v1/completions: the request body. The prompt is a bare text: no chat template is put around it."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ghostrouter.api.body import MOST_TOKENS, UNSUPPORTED_OF_VLLM, SampledBody, Shape, parse
from ghostrouter.api.chat_request import MOST_CHOICES, ChatCall, StreamOptions, to_call
from ghostrouter.api.hints import hints
from ghostrouter.conversation import PROMPT, Features, Message
from ghostrouter.errors import InvalidRequest

# Accepted: hints (`hints.py`).
_IGNORED = ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "metadata")
# Valid in OpenAI's or vLLM's API, but not implemented here. Other values than the default are refused (400).
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "suffix": ("",),
    "top_logprobs": (),
    "prompt_embeds": (),
    "add_special_tokens": (True,),
    **UNSUPPORTED_OF_VLLM,
}
_USUAL_TOKENS = 16
_MOST_PROMPTS = 16


def _as_list(value: Any) -> Any:
    if isinstance(value, list) and value and not isinstance(value[0], str):
        raise ValueError("token ids are not supported here; send text")
    return [value] if isinstance(value, str) else value


class _Completion(SampledBody):
    prompt: Annotated[
        list[str],
        BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
        Field(min_length=1, max_length=_MOST_PROMPTS),
    ]
    max_tokens: int = Field(default=_USUAL_TOKENS, ge=1, le=MOST_TOKENS)
    n: int = Field(default=1, ge=1, le=MOST_CHOICES)
    logprobs: int | None = Field(default=None, ge=0, le=20)
    stream_options: StreamOptions | None = None


SHAPE = Shape(_Completion, _IGNORED, _UNSUPPORTED)


def from_wire(body: Any) -> list[ChatCall]:
    """Read a request body: a call for each prompt.

    Raises:
        InvalidRequest: the body is not a valid completion request; the message names the field.
    """
    parsed = parse(_Completion, body, _IGNORED, _UNSUPPORTED)
    if not all(parsed.prompt):
        raise InvalidRequest("`prompt` must not be empty.")
    if len(parsed.prompt) * parsed.n > MOST_CHOICES:
        raise InvalidRequest(f"`n`: an answer has at most {MOST_CHOICES} choices, over all prompts.")
    if parsed.ghost.signals:
        raise InvalidRequest("`ghost.signals` is for chat completions only. Leave it out.")
    features = Features(hints=hints(body))
    call = to_call(
        parsed,
        (),
        parsed.max_tokens,
        logprobs=parsed.logprobs is not None,
        include_usage=bool(parsed.stream_options and parsed.stream_options.include_usage),
        features=features,
        n=parsed.n,
    )
    call = replace(call, top_logprobs=parsed.logprobs or 0)
    return [replace(call, messages=(Message(PROMPT, text),)) for text in parsed.prompt]
