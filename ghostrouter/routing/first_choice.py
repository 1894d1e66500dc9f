"""The bandit's choice of the first model, within the plan that the rules have made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ghostrouter.config.routing import Bandit
from ghostrouter.learn.bandit import Arm, Beliefs, Choice, choose
from ghostrouter.learn.context import context
from ghostrouter.money import Worth
from ghostrouter.policy.option import Candidate, Option
from ghostrouter.types import BanditRecord, Plan

_UNKNOWN_QUALITY = 0.5


def with_first_choice(
    plan: Plan,
    candidates: Mapping[str, Candidate],
    about: tuple[float, int],
    models: Sequence[str],
    learned: Mapping[str, float],
    worth: Worth,
    beliefs: Beliefs,
    settings: Bandit,
    may_explore: bool,
    draw: Callable[[str], float],
) -> Plan:
    """The plan with the bandit's record, and with the bandit's model first if it decides this request.

    `about` is the prompt's complexity and its tokens. `models` are all configured models, in their order. `draw` gives
    a number from [0, 1) for a purpose; the same request always gets the same one.
    """
    features = context([learned.get(m, _UNKNOWN_QUALITY) for m in models], *about)
    arms = [
        Arm(n, learned.get(n, _UNKNOWN_QUALITY), Option(n, candidates[n]).expected.price_usd, features)
        for n in plan.models
    ]
    # A right answer is worth `quality_usd`, so a dollar is worth at least its inverse in right answers.
    least_price = 1 / worth.quality_usd if worth.quality_usd else 0.0
    choice = choose(arms, replace(beliefs, price=beliefs.price + least_price), draw("bandit"), may_explore)
    share = {"shadow": 0.0, "share": settings.share, "all": 1.0}.get(settings.stage, 0.0)
    decides = draw("stage") < share
    record = _record(choice, arms, decides)
    if not decides:
        propensity = share * choice.propensities[plan.models[0]] + (1 - share) * plan.propensity
        return replace(plan, bandit=record, propensity=propensity)
    propensity = share * choice.propensity + (1 - share) * (choice.name == plan.models[0])
    models_now = (choice.name, *(m for m in plan.models if m != choice.name))
    reason = f"{plan.reason}, {'the best by' if choice.name == choice.best else 'tried by'} the bandit"
    return replace(plan, models=models_now, bandit=record, propensity=propensity, reason=reason)


def _record(choice: Choice, arms: Sequence[Arm], decides: bool) -> BanditRecord:
    return BanditRecord(
        choice.name,
        decides,
        tuple(choice.propensities.items()),
        tuple(map(float, arms[0].features)),
        tuple((a.name, a.quality, a.usd) for a in arms),
        tuple((n, e.quality, e.usd) for n, e in choice.estimates.items()),
        choice.regret,
    )
