"""The sections of the configuration that can change while the service runs, through Serve's `user_config`."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ghostrouter.classify.layers import RuleLayer
from ghostrouter.config import Classify, GraphConfig, Override, Route, Router
from ghostrouter.config.access import Budgets
from ghostrouter.config.file import nearest
from ghostrouter.errors import ConfigError
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.money import Worth

SECTIONS = ("routes", "classify", "router", "presets", "overrides", "budgets")
DEPLOYMENTS = ("Classifier", "Ingress", "Quotas")
"""The deployments that get the `user_config`, as far as they run. Each gets all of it."""


class _Sections(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    routes: dict[str, Route] = {}
    classify: Classify = Classify()
    router: Router = Router()
    presets: dict[str, Worth] = {}
    overrides: tuple[Override, ...] = ()
    budgets: Budgets = Budgets()


def changed(config: GraphConfig, user_config: Mapping[str, Any]) -> GraphConfig:
    """The configuration with the sections of `user_config` replaced. Other sections stay.

    Raises:
        ConfigError: a section is wrong, or cannot change while the service runs. The message names the key.
    """
    unknown = sorted(set(user_config) - set(SECTIONS))
    if unknown:
        raise ConfigError(
            f"user_config.{unknown[0]}: this cannot change while the service runs, only {', '.join(SECTIONS)}"
            f"{nearest(unknown[0], SECTIONS)}"
        )
    try:
        sections = _Sections.model_validate(dict(user_config))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError("; ".join(problems)) from error
    found = config.model_copy(update={name: getattr(sections, name) for name in user_config})
    check(config, found)
    return found


def check(before: GraphConfig, after: GraphConfig) -> None:
    """Check that a running service can change from one configuration to the other.

    Raises:
        ConfigError: a name, a rule or a file is wrong, or the change needs a restart.
    """
    if problem := next(after.routing_problems(), None):
        raise ConfigError(problem)
    fixed = {
        "classify.encoder": (before.classify.encoder, after.classify.encoder),
        "classify.l3.model": (_router_model(before), _router_model(after)),
        "router.l2.cache": (before.router.l2.cache, after.router.l2.cache),
        **{f"router.bandit.{key}": (old, new) for key, old, new in _of_bandit(before, after)},
        **{f"budgets.{key}": (old, new) for key, old, new in before.budgets.fixed_changes(after.budgets)},
    }
    for key, (old, new) in fixed.items():
        if old != new:
            raise ConfigError(f"{key}: this cannot change while the service runs ({old!r} to {new!r})")
    RuleLayer(after.routes, after.router, has_encoder=False)
    learned = after.router.learned.path
    if learned and learned != before.router.learned.path:
        LearnedRouter.load(Path(learned))


def _router_model(config: GraphConfig) -> str | None:
    return config.classify.l3.model if config.classify.l3 else None


def _of_bandit(before: GraphConfig, after: GraphConfig) -> Iterator[tuple[str, Any, Any]]:
    """What the event store's process has of the bandit, which no reload reaches."""
    old, new = before.router.bandit, after.router.bandit
    for key in ("usd_per_day", "regret_per_day", "half_life"):
        yield key, getattr(old, key), getattr(new, key)
    if "off" in (old.stage, new.stage):
        yield "stage", old.stage, new.stage


def version(config: GraphConfig) -> str:
    """A digest of the live sections. Two services with the same digest decide in the same way."""
    live = config.model_dump(mode="json", include=set(SECTIONS))
    return hashlib.sha256(json.dumps(live, sort_keys=True).encode()).hexdigest()[:16]
