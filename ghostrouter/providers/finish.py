"""Finish reasons: from each provider's word to ours."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ghostrouter.errors import ProviderRefused, SegmentFailed
from ghostrouter.providers.failure import safe
from ghostrouter.types import FinishReason

# In lower case, with an underscore between words. A reason in none of these tables counts as the usual end, because the
# provider says that the model has stopped.
_FINISH: Mapping[str, FinishReason] = MappingProxyType(
    {
        "stop": "stop",
        "incomplete": "length",
        "model_context_window_exceeded": "length",
        "tool_calls": "tool_calls",
        "tool_call": "tool_calls",
        "tool_use": "tool_calls",
        "function_call": "tool_calls",
    }
)
# Words for a limit, such as max_tokens, max_output_tokens, length, token_limit, context_length_exceeded.
_LIMIT = re.compile(r"(?:^|_)(?:length|limit|max_(?:[a-z]+_)*tokens)(?:_|$)")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_REFUSALS = frozenset(
    "content_filter content_filtered safety recitation refusal blocklist prohibited_content spii image_safety language "
    "image_prohibited_content image_recitation model_armor sensitive guardrail_intervened".split()
)
# The answer was broken off: by an error, a lost connection or an overloaded server.
_FAILURES = frozenset(
    "abort aborted cancelled canceled error failed insufficient_system_resource malformed_function_call "
    "malformed_response missing_thought_signature network_error no_image image_other other overloaded repetition "
    "timeout too_many_tool_calls unexpected_tool_call".split()
)
_NOT_YET = frozenset({"", "null", "none", "finish_reason_unspecified"})


def finish_reason(told: object) -> FinishReason | None:
    """Our finish reason; None while the answer goes on. Some providers send an empty one, or "null", in every event.

    Raises:
        ProviderRefused: the model, or a filter of its provider, refuses to answer.
        SegmentFailed: the answer was broken off.
    """
    if isinstance(told, list) and told:
        told = told[0]
    if isinstance(told, Mapping):
        told = told.get("type") or told.get("reason")
    if told is None or told is False:
        return None
    word = _CAPITAL.sub("_", str(told).strip()).lower().replace("-", "_").replace(" ", "_")
    if word in _NOT_YET:
        return None
    if word in _REFUSALS:
        raise ProviderRefused(f"the provider ended the answer ({safe(told)})")
    if word in _FAILURES:
        raise SegmentFailed(f"the provider ended the answer ({safe(told)})")
    return _FINISH.get(word) or ("length" if _LIMIT.search(word) else "stop")
