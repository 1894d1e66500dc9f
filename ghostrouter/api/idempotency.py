"""The same request sent again finds its answer: the session's id follows from the caller, the key and the body."""

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
    """How a request is known again.

    `suffix` ends the id of its session. `request_hash` is a digest of the body. `is_asked_for`: the client wants its
    answer to be found again, also one in one piece.
    """

    suffix: str
    request_hash: str = ""
    is_asked_for: bool = False


def repeatable(headers: Mapping[str, str], owner: str, body: Any) -> Repeatable:
    """How a request with this JSON body is known again.

    `Idempotency-Key` belongs to one body: another body with it is an error. `x-request-id` is often chosen by a proxy:
    with another body it names another request. Without either no two requests are the same.

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
