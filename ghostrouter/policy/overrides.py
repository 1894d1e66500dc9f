"""What is different for some callers: the tables, the worth of answers and the models of a key, project, team, ..."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ghostrouter.access.keys import Caller
from ghostrouter.config.routing import Override
from ghostrouter.money import Worth
from ghostrouter.policy.plan import Table

SCOPES = ("organisation", "team", "project", "key")
"""From what holds for many to what holds for one: the later takes precedence."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a caller: the table, what answers are worth by name, and models that each group may use."""

    table: Table
    presets: Mapping[str, Worth]
    allowed: tuple[tuple[str, ...], ...] = ()

    def may_use(self, model: str) -> bool:
        """Whether every override that fits allows the model."""
        return all(any(fnmatchcase(model, pattern) for pattern in patterns) for patterns in self.allowed)


def terms(caller: Caller, overrides: Sequence[Override], table: Table, presets: Mapping[str, Worth]) -> Terms:
    """What holds for a caller, over the `table` and `presets` of all. A route that is overridden has no tiers but those
    that stand beside it."""
    names = {"organisation": caller.organisation, "team": caller.team, "project": caller.project, "key": caller.name}
    fitting = [o for scope in SCOPES for o in overrides if o.scope == scope and names[scope] and o.name == names[scope]]
    routes, tiers, worth = dict(table.routes), dict(table.tiers), dict(presets)
    for override in fitting:
        routes |= override.routes
        tiers = {t: rows for t, rows in tiers.items() if t not in override.routes} | override.tiers
        worth |= override.presets
    return Terms(replace(table, routes=routes, tiers=tiers), worth, tuple(o.models for o in fitting))
