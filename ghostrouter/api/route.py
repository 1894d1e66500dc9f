"""POST /v1/route: what is asked."""

from typing import Any

from ghostrouter.errors import InvalidRequest
from ghostrouter.policy.plan import AUTO


def chat_body(body: Any) -> Any:
    """The chat request that a preview is for: `{"query": ...}`, perhaps with a `model`, or a whole body.

    Raises:
        InvalidRequest: `query` is no text, or stands beside `messages`.
    """
    if not isinstance(body, dict) or "query" not in body:
        return {"model": AUTO, **body} if isinstance(body, dict) else body
    if not isinstance(body["query"], str) or not body["query"] or "messages" in body:
        raise InvalidRequest("`query` must be a text, and `messages` must not stand beside it.")
    rest = {k: v for k, v in body.items() if k != "query"}
    return {"model": AUTO, **rest, "messages": [{"role": "user", "content": body["query"]}]}
