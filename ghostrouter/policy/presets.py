"""The presets: which names of `model` are one, what an answer is then worth, and in which order models are tried.

`ghost/NAME` names a preset or a route. Four presets always exist. The configuration (`presets`) sets what an answer is
worth with them, and adds others. A route takes precedence over a configured preset of the same name.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from ghostrouter.errors import InvalidRequest
from ghostrouter.money import Worth
from ghostrouter.terms import Preferences

PREFIX = "ghost/"
AUTO = "ghost/auto"
SHIPPED = ("auto", "economy", "balanced", "quality")
_DEFAULT = "balanced"

Order = Literal["value", "cheapest", "strongest"]
_ORDERS: Mapping[str, Order] = {"ghost/economy": "cheapest", "ghost/quality": "strongest"}


def names(configured: Collection[str], routes: Collection[str]) -> list[str]:
    """The names of all presets, without prefix."""
    return [*SHIPPED, *(p for p in configured if p not in SHIPPED and p not in routes)]


def order(model: str) -> Order:
    """The order in which a plan tries its models. `value`: by expected value if it is known, else as in the route."""
    return _ORDERS.get(model, "value")


def worth(preferences: Preferences, model: str, presets: Mapping[str, Worth]) -> Worth | None:
    """What an answer is worth to the caller; None if there is no preset for it.

    The preset is the one in `ghost.preset`, else the one that `model` names as `ghost/NAME`, else `balanced`.
    `quality_usd` of the request replaces that of the preset.

    Raises:
        InvalidRequest: there is no such preset.
    """
    if preferences.preset is not None and preferences.preset not in presets:
        raise InvalidRequest(
            f"`ghost.preset`: there is no `{preferences.preset}`. Presets: {', '.join(presets) or 'none'}."
        )
    named = preferences.preset or (model.removeprefix(PREFIX) if model.startswith(PREFIX) else "")
    base = presets.get(named, presets.get(_DEFAULT))
    if preferences.quality_usd is None:
        return base
    return Worth(preferences.quality_usd, base.second_usd if base else 0.0)
