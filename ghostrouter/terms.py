"""What a call asks of the routing: conditions for the models, and preferences."""

from dataclasses import dataclass
from typing import Literal

Trust = Literal["untrusted", "standard", "trusted"]
TRUST_TIERS: tuple[Trust, ...] = ("untrusted", "standard", "trusted")


NO_LOGPROBS = "does not return log-probabilities"
NO_SAMPLING = "does not support temperature and top_p"
"""Reasons why a model is not eligible. `ghostrouter traces record` leaves the fields out when it reads one of them."""

# off: the first model writes the whole answer. failure_only: another model continues only after a failure.
SwitchMode = Literal["auto", "failure_only", "off"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The routing preferences of one request, besides the model it names.

    The service's rules hold for fields that are None. Only models in `allow` may write; an empty tuple allows all. No
    model begins and no handoff is made that could exceed `budget_usd` with an answer of the maximum length. With
    `interactive` the client can be asked if the task is unclear.
    """

    preset: str | None = None
    quality_usd: float | None = None
    max_handoffs: int | None = None
    budget_usd: float | None = None
    allow: tuple[str, ...] = ()
    switch: SwitchMode = "auto"
    interactive: bool = False


NO_PREFERENCES = Preferences()


@dataclass(frozen=True, slots=True)
class Terms:
    """Conditions that a model must meet to get a call.

    `trust` is the lowest allowed trust tier. `regions` are the allowed regions; an empty tuple allows all. `repeatable`
    requires that the same call gives the same answer. A model that names its intents or tags must have `intent` and all
    of `tags`. A seed excludes models that do not support one, unless `best_effort` is set.
    """

    trust: Trust = "untrusted"
    regions: tuple[str, ...] = ()
    repeatable: bool = False
    intent: str = ""
    tags: tuple[str, ...] = ()
    best_effort: bool = False


ANY_TERMS = Terms()
