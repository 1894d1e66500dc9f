"""What providers' words for errors mean where the status does not say it: too long a prompt, or an operator's fault.

Messages of providers are only searched, never passed on: they may quote the prompt.
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

REQUEST_AT_FAULT = frozenset({400, 413, 414, 422})
# Codes for a prompt that is too long.
TOO_LONG = frozenset(
    {
        "context_length_exceeded",
        "context_window_exceeded",
        "ContextWindowExceededError",
        "exceed_context_size_error",
        "model_max_prompt_tokens_exceeded",
        "prompt_too_long",
        "request_too_large",
        "tokens_limit_reached",
    }
)
# Messages about it, of about thirty providers, servers and gateways. The table of quirks (tests) names them.
_TOO_LONG = re.compile(
    r"maximum (?:context|prompt|model|input|allowed(?: input)?) length|max(?:imum)? seq(?:uence)? len"
    r"|context[ _](?:length|window|size|limit)|ContextWindowExceeded|(?:prompt|input) (?:is )?too long"
    r"|too many (?:input )?tokens|input tokens exceeded|input token count|reduce the length of the"
    r"|tokens? \+ .{0,40}max_new_tokens|must have less than \d+ tokens|range of input length|exceeds max length"
    r"|exceeded model token limit|token limit exceeded|payload size exceeds|content[^']*': string too long",
    re.IGNORECASE,
)
# What llama.cpp says with status 500.
_TOO_LONG_AT_500 = re.compile(r"context size has been exceeded|input is too large to process", re.IGNORECASE)
# A 400 that is the operator's fault: a key, an account or a model that the provider does not have, or has no longer.
# With the status that other providers give it.
_OPERATORS: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "invalid_api_key"), 401),
        **dict.fromkeys(("Arrearage", "billing_hard_limit_reached", "billing_not_active", "insufficient_quota"), 402),
        **dict.fromkeys(("account_deactivated", "AccessDeniedException"), 403),
        **dict.fromkeys(("model_not_found", "model_decommissioned", "invalid_model", "DeploymentNotFound"), 404),
    }
)
_OPERATORS_WORDS = tuple(
    (re.compile(words, re.IGNORECASE), status)
    for words, status in (
        (r"(?:incorrect|invalid|expired) api[ _-]?key|api[ _-]?key (?:not valid|expired|is invalid)", 401),
        (r"credit balance is too low|insufficient (?:account )?(?:balance|credit)|specified api usage limits", 402),
        (r"enable billing|good standing|hard limit has been reached", 402),
        (r"organization has been disabled|location is not supported|do(?:n't| not) have access to the model", 403),
        (r"model not exist|invalid model(?: name| id)?[:.'\"`]|not a valid model", 404),
        (r"model .{0,80}(?:does not exist|has been decommissioned)", 404),
    )
)


def operators_status(kinds: Collection[str], words: str) -> int | None:
    """The status that a 400 should have had; None if it is about the request."""
    known = next((status for kind, status in _OPERATORS.items() if kind in kinds), None)
    return known or next((status for pattern, status in _OPERATORS_WORDS if pattern.search(words)), None)


def is_too_long(status: int, kinds: Collection[str], words: str) -> bool:
    """Whether an error with this status is about a prompt that is longer than the model, or its server, takes."""
    if status not in REQUEST_AT_FAULT:
        return status == 500 and bool(_TOO_LONG_AT_500.search(words))
    return status == 413 or not TOO_LONG.isdisjoint(kinds) or bool(_TOO_LONG.search(words))
