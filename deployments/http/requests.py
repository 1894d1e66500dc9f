"""What handlers read from a request: its body, and who sends it."""

from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from deployments.session.requester import Requester
from ghostrouter.api.body import decoded
from ghostrouter.errors import BodyTooLarge, Unauthorized

_KEY = "ghostrouter.requester"


def with_requester(scope: Scope, requester: Requester) -> Scope:
    """The ASGI scope of a request, with its requester. The access middleware sets it."""
    return {**scope, "state": {**scope.get("state", {}), _KEY: requester}}


def requester(request: Request) -> Requester:
    """Who sends a request. Raises Unauthorized for a request without a key to a path that is open to strangers."""
    found = known_requester(request)
    if found is None:
        raise Unauthorized("You didn't provide an API key. Send it as `Authorization: Bearer KEY`.")
    return found


def known_requester(request: Request) -> Requester | None:
    """Who sends a request; None: a stranger, on a path that is open to all."""
    found: Requester | None = request.scope.get("state", {}).get(_KEY)
    return found


async def json_body(request: Request, max_bytes: int) -> Any:
    """The body as JSON. Reading stops when it is too long."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > max_bytes:
            raise BodyTooLarge(f"The body has more than {max_bytes} bytes. Send less.")
    return decoded(raw)
