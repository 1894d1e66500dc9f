"""Decide before the first token which models a session may use, and in which order: filter, score, pick.

A preview and a call make the same decision because both call `decide`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ghostrouter.config.routing import Exploration, Tier
from ghostrouter.errors import InvalidRequest, PromptTooLong, UnknownModel
from ghostrouter.money import Worth
from ghostrouter.policy import presets, tiers
from ghostrouter.policy.option import Candidate, Option
from ghostrouter.policy.scorers import SCORERS
from ghostrouter.types import Classification, Plan

__all__ = ["Assessment", "Candidate", "Decision", "PlanRequest", "Table", "decide", "models_for", "task_of"]

_WORTH = Worth(quality_usd=0.01, second_usd=0.0)
_NONE: Mapping[str, str] = MappingProxyType({})
_NO_EXPLORATION = Exploration()
CANNOT_CONTINUE = "cannot continue the message that the client has begun"


@dataclass(frozen=True, slots=True)
class Table:
    """What the operator has set: routes and tiers by task, and what an answer is worth.

    `promoted` holds the number of rows (or models) by which a task is promoted now. `presets` holds the names of the
    configured presets.
    """

    routes: Mapping[str, tuple[str, ...]]
    tiers: Mapping[str, tuple[Tier, ...]] = field(default_factory=dict)
    worth: Worth = _WORTH
    promoted: Mapping[str, int] = field(default_factory=dict)
    exploration: Exploration = _NO_EXPLORATION
    presets: tuple[str, ...] = ()

    def names_preset(self, model: str) -> bool:
        """Whether `model` names a preset. Then the prompt must be classified."""
        known = presets.names(self.presets, self.routes)
        return model.startswith(presets.PREFIX) and model.removeprefix(presets.PREFIX) in known

    def names(self) -> list[str]:
        """The names that a client may put into `model`, besides those of models."""
        known = presets.names(self.presets, self.routes)
        return [presets.PREFIX + n for n in (*known, *(t for t in self.routes if t not in (*known, "default")))]


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan is made for: the name in `model`, the label of the prompt, its tokens and its complexity.

    With `one_tokenizer` all models must have the same one, because the request names token ids. With `safer` a stronger
    model begins, because the task is not certain. `draw`, from [0, 1), decides about exploration.
    """

    model: str
    classification: Classification | None = None
    tokens: int = 0
    complexity: float = 0.0
    one_tokenizer: bool = False
    safer: bool = False
    draw: float = 1.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """A model with its terms in US dollars, or with the reason why it was refused."""

    name: str
    refused: str = ""
    terms: tuple[tuple[str, float], ...] = ()

    @property
    def score(self) -> float:
        """The sum of the terms."""
        return sum(term for _, term in self.terms)


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan, and the assessment of every model of the route, in the order of the route."""

    plan: Plan
    assessments: tuple[Assessment, ...]


def task_of(asked: PlanRequest, table: Table) -> str | None:
    """The route of a request; None if it names a model."""
    if table.names_preset(asked.model):
        label = asked.classification
        return label.task if label and label.task in table.routes else "default"
    name = asked.model.removeprefix(presets.PREFIX) if asked.model.startswith(presets.PREFIX) else None
    return name if name in table.routes else None


def decide(
    asked: PlanRequest, candidates: Mapping[str, Candidate], table: Table, ineligible: Mapping[str, str] = _NONE
) -> Decision:
    """Choose the models a session may use. The first of them begins.

    `ineligible` maps models to the reason why they cannot, or must not, take the call. A model of the route that is in
    neither mapping cannot continue the client's last message (`continue_final_message`).

    Raises:
        UnknownModel: there is no such model.
        InvalidRequest: no model of the route can answer.
        PromptTooLong: the prompt fits into no model of the route.
    """
    names, reason = models_for(asked, [*candidates, *ineligible], table)
    skipped = names[: promoted_by(asked, table)]
    assessments = tuple(_assess(name, candidates, table.worth, ineligible) for name in names)
    able = [c.name for c in assessments if not c.refused]
    if not able:
        _refuse(assessments, candidates, reason)
    ladder = tuple(able)
    able.sort(key=skipped.__contains__)
    if asked.one_tokenizer:
        able = [n for n in able if candidates[n].tokenizer == candidates[able[0]].tokenizer]
    scores = {c.name: c.score for c in assessments}
    if task_of(asked, table) and all(candidates[n].quality is not None for n in able):
        first = max(able, key=lambda n: (n not in skipped, scores[n], -able.index(n)))
        able = [first, *(n for n in able if n != first)]
        reason += ", the most valuable first"
    order = presets.order(asked.model)
    if order == "strongest":
        able = able[::-1]
    elif order == "cheapest":
        able.sort(key=lambda n: (n in skipped, Option(n, candidates[n]).expected.price_usd))
    if asked.safer and table.names_preset(asked.model):
        if order != "strongest" and not reason.startswith("tier"):
            able = [able[-1], *able[:-1]]
        reason += (
            f", safer: confidence of the task {asked.classification.confidence if asked.classification else 0.0:.2f}"
        )
    # Where an estimate says that the prompt is too long, the provider decides, but others are asked before.
    able.sort(key=lambda n: not candidates[n].fits)
    propensity = 1.0
    if table.names_preset(asked.model):
        able, propensity, explored = _explore(able, candidates, asked, table.exploration)
        reason += explored
    why = tuple((n, ineligible[n]) for n in names if n in ineligible)
    terms = tuple((c.name, c.terms) for c in assessments if not c.refused)
    plan = Plan(tuple(able), reason, asked.classification, why, ladder, propensity, scores=terms)
    return Decision(plan, assessments)


def _explore(
    able: list[str], candidates: Mapping[str, Candidate], asked: PlanRequest, rules: Exploration
) -> tuple[list[str], float, str]:
    """Maybe move another model to the front. Returns the models, the probability of this order, and the reason."""
    usual_usd = Option(able[0], candidates[able[0]]).expected.price_usd
    others = [n for n in able[1:] if Option(n, candidates[n]).expected.price_usd - usual_usd <= rules.most_usd]
    if not rules.share or not others or asked.one_tokenizer:
        return able, 1.0, ""
    if asked.draw >= rules.share:
        return able, 1.0 - rules.share, ""
    first = others[int(asked.draw / rules.share * len(others))]
    return [first, *(n for n in able if n != first)], rules.share / len(others), f", explored instead of {able[0]}"


def models_for(asked: PlanRequest, models: Collection[str], table: Table) -> tuple[tuple[str, ...], str]:
    """The models to consider, and the reason for these. `models` are those that a request may name.

    Raises:
        UnknownModel: there is no such model.
    """
    task = task_of(asked, table)
    if task is None:
        if asked.model in models:
            return (asked.model,), "requested by name"
        known = ", ".join([presets.AUTO, *models])
        raise UnknownModel(f"The model `{asked.model}` does not exist. Models: {known}.")
    label = asked.classification
    wanted = label.task if label and label.task in table.tiers else task
    rows = table.tiers.get(wanted)
    if not rows:
        up = promoted_by(asked, table)
        return table.routes[task], f"route {task}" + (f", promoted by {up}" if up else "")
    up = table.promoted.get(label.task if label else wanted, 0)
    number, row = tiers.pick(rows, asked.tokens, asked.complexity, up + asked.safer)
    return row.models, f"tier {number + 1} of {wanted}" + (f", promoted by {up}" if up else "")


def promoted_by(asked: PlanRequest, table: Table) -> int:
    """How many models a promotion moves from the beginning of the route to its end; 0 for a task with tiers.

    At least one model stays at the beginning. A plan that begins with the strongest needs no promotion.
    """
    task, label = task_of(asked, table), asked.classification
    wanted = label.task if label else task
    if task is None or wanted is None or presets.order(asked.model) == "strongest":
        return 0
    if table.tiers.get(wanted) or table.tiers.get(task):
        return 0
    return min(table.promoted.get(wanted, 0), len(table.routes[task]) - 1)


def _assess(name: str, candidates: Mapping[str, Candidate], worth: Worth, ineligible: Mapping[str, str]) -> Assessment:
    if name in ineligible:
        return Assessment(name, ineligible[name])
    if name not in candidates:
        return Assessment(name, CANNOT_CONTINUE)
    option, found = Option(name, candidates[name]), candidates[name]
    refused = ""
    if not found.fits and not found.estimated:
        refused = (
            f"the prompt has at least {found.prompt_tokens} tokens, "
            f"it takes at most {found.context_tokens}, answer included"
        )
    return Assessment(name, refused, tuple((term, score(option, worth)) for term, score in SCORERS.items()))


def _refuse(assessments: tuple[Assessment, ...], candidates: Mapping[str, Candidate], reason: str) -> None:
    present = [c.name for c in assessments if c.name in candidates]
    if not present:
        reasons = "; ".join(f"{c.name} {c.refused}" for c in assessments)
        raise InvalidRequest(f"No model of {reason} can answer this: {reasons}.")
    longest = max(present, key=lambda n: candidates[n].context_tokens)
    raise PromptTooLong(
        f"The prompt has at least {candidates[longest].prompt_tokens} tokens and {longest} takes at most "
        f"{candidates[longest].context_tokens}, answer included. Shorten the messages."
    )
