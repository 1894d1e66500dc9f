"""The ids of sessions: new for every request, or the same if a request is sent again (`Idempotency-Key`)."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ghostrouter.errors import InvalidRequest

_MOST_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Repeatable:
    """How a repeated request is recognised.

    `suffix` is the end of its session's id. `request_hash` is a digest of the body. `is_asked_for`: the client wants
    its answer to be found again, even if it is not streamed.
    """

    suffix: str
    request_hash: str = ""
    is_asked_for: bool = False


def repeatable(headers: Mapping[str, str], owner: str, body: Any) -> Repeatable:
    """How a request with this JSON body is recognised if it is sent again.

    With the same `Idempotency-Key` and another body, the request is refused. With the same `x-request-id` and another
    body, it is a new request, because proxies often choose that header. Without either header every request is new.

    Raises:
        InvalidRequest: the key is too long.
    """
    key, request_id = headers.get("idempotency-key", ""), headers.get("x-request-id", "")
    if len(key) > _MOST_CHARACTERS:
        raise InvalidRequest(f"`Idempotency-Key` must have at most {_MOST_CHARACTERS} characters.")
    if not key and not request_id:
        return Repeatable(uuid.uuid4().hex)
    request_hash = _digest(json.dumps(body, sort_keys=True))
    if key:
        return Repeatable(_digest("key", owner, key)[:32], request_hash, is_asked_for=True)
    return Repeatable(_digest("request", owner, request_id, request_hash)[:32], request_hash)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
