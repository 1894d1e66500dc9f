"""Which scope a request needs."""

from ghostrouter.access.keys import Right

# Load balancers have no key. The API's description and the page tell nothing about this service's data: whoever opens
# the page types the key into it.
_OPEN_TO_STRANGERS = frozenset({"/healthz", "/health", "/-/healthz", "/openapi.json", "/dashboard"})
_PAGE = "/dashboard/"
# What the page shows besides answers: of the caller, or of all callers.
_WATCHED = ("/v1/live", "/v1/sessions", "/v1/routing", "/v1/budgets")
# What tells about all callers together. Everything below these paths, too.
_ADMIN = ("/v1/status", "/metrics", "/v1/admin")


def is_open_to_strangers(path: str) -> bool:
    """Whether a path needs no key."""
    return path in _OPEN_TO_STRANGERS or path.startswith(_PAGE)


def scopes_of(path: str) -> tuple[Right, ...]:
    """The scopes that let a request to a path in. One of them is enough."""
    if _is_below(path, _ADMIN):
        return ("admin",)
    if _is_below(path, _WATCHED) and not path.endswith("/branch"):
        return ("call", "admin")
    return ("feedback",) if path == "/v1/feedback" else ("call",)


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
