"""What one request wants of the routing, made into a plan, rules and a worth."""

from collections.abc import Mapping
from dataclasses import replace

from ghostrouter.errors import InvalidRequest
from ghostrouter.money import Worth
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.terms import Wishes
from ghostrouter.types import Plan

BALANCED = "balanced"


def restrict(plan: Plan, wishes: Wishes, worst_usd: Mapping[str, float]) -> Plan:
    """The plan without the models that the caller does not want; it begins with one that the budget is sure to pay.

    `worst_usd` is what each model's answer may cost at most.

    Raises:
        InvalidRequest: none is left.
    """
    models = tuple(m for m in plan.models if not wishes.allow or m in wishes.allow)
    if not models:
        raise InvalidRequest(f"`ghost.allow` has no model of the plan ({plan.reason}: {', '.join(plan.models)}).")
    if wishes.budget_usd is not None:
        paid = [i for i, m in enumerate(models) if worst_usd[m] <= wishes.budget_usd]
        if not paid:
            least = min(worst_usd[m] for m in models)
            raise InvalidRequest(
                f"`ghost.budget_usd`: {wishes.budget_usd:g} may not be enough; the cheapest answer of the plan costs "
                f"{least:.3g} at most. Lower `max_tokens`, or raise the budget."
            )
        models = models[paid[0] :]
    return replace(plan, models=models[:1] if wishes.switch == "off" else models)


def rules(usual: SwitchRules, wishes: Wishes) -> SwitchRules:
    """The rules for one session: what the operator allows is never exceeded."""
    most = usual.max_handoffs if wishes.switch == "auto" else 0
    if wishes.max_handoffs is not None:
        most = min(most, wishes.max_handoffs)
    return replace(usual, max_handoffs=most)


def worth(wishes: Wishes, model: str, presets: Mapping[str, Worth]) -> Worth | None:
    """What an answer is worth to the caller: a preset, by name or as `ghost/NAME`, and `quality_usd` in its place.

    BALANCED if none is named.

    Raises:
        InvalidRequest: there is no such preset.
    """
    if wishes.preset is not None and wishes.preset not in presets:
        raise InvalidRequest(f"`ghost.preset`: there is no `{wishes.preset}`. Presets: {', '.join(presets) or 'none'}.")
    base = presets.get(wishes.preset or model.removeprefix("ghost/"), presets.get(BALANCED))
    if wishes.quality_usd is None:
        return base
    return Worth(wishes.quality_usd, base.second_usd if base else 0.0)
