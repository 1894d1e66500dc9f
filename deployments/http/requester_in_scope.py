"""Who sends a request. The access middleware writes it into the ASGI scope, and handlers read it there."""

from starlette.requests import Request
from starlette.types import Scope

from deployments.session.requester import Requester
from ghostrouter.errors import Unauthorized

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
