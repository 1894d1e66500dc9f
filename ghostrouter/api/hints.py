"""Fields of a request that do not change the answer: who asks, and how a provider should cache the prompt.

Every API accepts them. A provider whose row names them (`hints`) gets them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ghostrouter.conversation import Hints

_FIELDS = ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")


def hints(body: Any) -> Hints:
    """The hints in a request body of any API, valid or not."""
    if not isinstance(body, Mapping):
        return ()
    told = {name: body.get(name) for name in _FIELDS}
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):  # where Anthropic has the user
        told["user"] = told["user"] or metadata.get("user_id")
    if any("cache_control" in part for part in (body, *_parts(body))):
        told["cache_control"] = "ephemeral"
    return tuple((name, value) for name, value in told.items() if isinstance(value, str) and value)


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Tools, and the parts of system and messages."""
    messages = list(_objects(body.get("messages")))
    for found in (body.get("system"), body.get("tools"), messages, *(m.get("content") for m in messages)):
        yield from _objects(found)


def _objects(found: Any) -> Iterator[Mapping[str, Any]]:
    return (part for part in (found if isinstance(found, list) else ()) if isinstance(part, Mapping))
