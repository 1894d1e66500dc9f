"""POST /v1/route: the request body."""

from typing import Any

from ghostrouter.errors import InvalidRequest
from ghostrouter.policy.presets import AUTO


def chat_body(body: Any) -> Any:
    """The chat request to preview: a whole body, or `{"query": ...}` with or without a `model`.

    Raises:
        InvalidRequest: `query` is not text, or the body has `messages` too.
    """
    if not isinstance(body, dict) or "query" not in body:
        return {"model": AUTO, **body} if isinstance(body, dict) else body
    if not isinstance(body["query"], str) or not body["query"] or "messages" in body:
        raise InvalidRequest("`query` must be a text, and `messages` must not stand beside it.")
    rest = {k: v for k, v in body.items() if k != "query"}
    return {"model": AUTO, **rest, "messages": [{"role": "user", "content": body["query"]}]}
