"""Apply the routing preferences of one request to its plan and its switch rules. Its worth is in `presets.py`."""

from collections.abc import Mapping
from dataclasses import replace

from ghostrouter.errors import InvalidRequest
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.terms import Preferences
from ghostrouter.types import Plan


def restrict(plan: Plan, preferences: Preferences, worst_usd: Mapping[str, float]) -> Plan:
    """Take the models out of the plan that the caller does not allow, and begin with one that the budget covers.

    `worst_usd` is the highest possible cost of an answer of each model.

    Raises:
        InvalidRequest: no model is left.
    """
    models = tuple(m for m in plan.models if not preferences.allow or m in preferences.allow)
    if not models:
        raise InvalidRequest(f"`ghost.allow` has no model of the plan ({plan.reason}: {', '.join(plan.models)}).")
    if preferences.budget_usd is not None:
        affordable = [i for i, m in enumerate(models) if worst_usd[m] <= preferences.budget_usd]
        if not affordable:
            cheapest_usd = min(worst_usd[m] for m in models)
            raise InvalidRequest(
                f"`ghost.budget_usd`: {preferences.budget_usd:g} may not be enough; the cheapest answer of the "
                f"plan may cost up to {cheapest_usd:.3g}. Lower `max_tokens`, or raise the budget."
            )
        models = models[affordable[0] :]
    return replace(plan, models=models[:1] if preferences.switch == "off" else models)


def rules(usual: SwitchRules, preferences: Preferences) -> SwitchRules:
    """The switch rules of one session. They never allow more than the operator's rules (`usual`)."""
    max_handoffs = usual.max_handoffs if preferences.switch == "auto" else 0
    if preferences.max_handoffs is not None:
        max_handoffs = min(max_handoffs, preferences.max_handoffs)
    return replace(usual, max_handoffs=max_handoffs)
