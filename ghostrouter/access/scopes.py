"""Which scope a request needs."""

from ghostrouter.access.keys import Right

# Load balancers have no key. The API's description and the page tell nothing about this service's data: whoever opens the
# page types the key into it.
_OPEN_TO_STRANGERS = frozenset({"/healthz", "/health", "/-/healthz", "/openapi.json", "/dashboard"})
_PAGE = "/dashboard/"
# What tells about all callers together. Everything below these paths, too.
_ADMIN = ("/v1/status", "/metrics", "/v1/admin")


def is_open_to_strangers(path: str) -> bool:
    """Whether a path needs no key."""
    return path in _OPEN_TO_STRANGERS or path.startswith(_PAGE)


def scope_of(path: str) -> Right:
    """The scope that a request to a path needs."""
    if any(path == admin or path.startswith(f"{admin}/") for admin in _ADMIN):
        return "admin"
    return "feedback" if path == "/v1/feedback" else "call"
