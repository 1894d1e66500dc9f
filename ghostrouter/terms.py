"""What a call asks of the routing: whom it may be given to, and how far to go for it."""

from dataclasses import dataclass
from typing import Literal

Trust = Literal["untrusted", "standard", "trusted"]
TRUST_TIERS: tuple[Trust, ...] = ("untrusted", "standard", "trusted")


# off: the first model writes all of it. failure_only: another one goes on only where one has failed.
SwitchMode = Literal["auto", "failure_only", "off"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one request wants of the routing, beyond the model it names. For what is None the service's rules hold.

    `allow` names the only models that may write, if it names any. No model is begun with, and no handoff made, that
    could exceed `budget_usd` if the answer became as long as it may. With `interactive` somebody is there to be asked
    when the task is unclear.
    """

    preset: str | None = None
    quality_usd: float | None = None
    max_handoffs: int | None = None
    budget_usd: float | None = None
    allow: tuple[str, ...] = ()
    switch: SwitchMode = "auto"
    interactive: bool = False


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Terms:
    """Whom a call may be given to: how far trusted, in which regions (any, if none is named), repeatable or not.

    `intent` and `tags` say what the call is: a model that names its intents or tags has to have those. With
    `best_effort` a seed is for the models that take one; else it keeps the call from all others.
    """

    trust: Trust = "untrusted"
    regions: tuple[str, ...] = ()
    repeatable: bool = False
    intent: str = ""
    tags: tuple[str, ...] = ()
    best_effort: bool = False


ANY_TERMS = Terms()
