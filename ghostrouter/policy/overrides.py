"""Apply the overrides that hold for a caller: routes, tiers, worth of answers, allowed models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ghostrouter.access.keys import Caller
from ghostrouter.config.routing import Override
from ghostrouter.money import Worth
from ghostrouter.policy.plan import Table

SCOPES = ("organisation", "team", "project", "key")
"""From the widest scope to the narrowest. A narrower scope takes precedence."""


@dataclass(frozen=True, slots=True)
class CallerRules:
    """The rules for one caller: the table, the presets, and the allowed models of each override."""

    table: Table
    presets: Mapping[str, Worth]
    allowed: tuple[tuple[str, ...], ...] = ()

    def may_use(self, model: str) -> bool:
        """Whether every override of the caller allows the model. Patterns may have wildcards."""
        return all(any(fnmatchcase(model, pattern) for pattern in patterns) for patterns in self.allowed)


def caller_rules(
    caller: Caller, overrides: Sequence[Override], table: Table, presets: Mapping[str, Worth]
) -> CallerRules:
    """Apply the overrides for a caller to `table` and `presets`.

    An overridden route loses its tiers, unless the same override has tiers for it.
    """
    names = {"organisation": caller.organisation, "team": caller.team, "project": caller.project, "key": caller.name}
    fitting = [o for scope in SCOPES for o in overrides if o.scope == scope and names[scope] and o.name == names[scope]]
    routes, tiers, worth = dict(table.routes), dict(table.tiers), dict(presets)
    for override in fitting:
        routes |= override.routes
        tiers = {t: rows for t, rows in tiers.items() if t not in override.routes} | override.tiers
        worth |= override.presets
    table = replace(table, routes=routes, tiers=tiers, presets=tuple(worth))
    return CallerRules(table, worth, tuple(o.models for o in fitting))
