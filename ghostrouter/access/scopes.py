"""Which scope a request needs."""

from ghostrouter.access.keys import Right

# Load balancers have no key, and the API's description tells nothing about this service's data.
OPEN_TO_STRANGERS = frozenset({"/healthz", "/health", "/-/healthz", "/openapi.json"})
# What tells about all callers together. Everything below these paths, too.
_ADMIN = ("/v1/status", "/metrics", "/dashboard", "/v1/admin")


def scope_of(path: str) -> Right:
    """The scope that a request to a path needs."""
    if any(path == admin or path.startswith(f"{admin}/") for admin in _ADMIN):
        return "admin"
    return "feedback" if path == "/v1/feedback" else "call"
