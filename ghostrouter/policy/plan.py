"""Before the first token: the models a session may use, in order. Filter, score, pick.

A preview and a call make the same decision because both call `decide`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ghostrouter.config.routing import Exploration, Tier
from ghostrouter.errors import InvalidRequest, PromptTooLong, UnknownModel
from ghostrouter.money import Worth
from ghostrouter.policy import tiers
from ghostrouter.policy.filters import FILTERS
from ghostrouter.policy.option import Candidate, Option
from ghostrouter.policy.scorers import SCORERS
from ghostrouter.types import Classification, Plan

__all__ = ["AUTO", "Asked", "Candidate", "Considered", "Decision", "Table", "decide", "make_plan", "names", "task_of"]

AUTO = "ghost/auto"
_PREFIX = "ghost/"
_WORTH = Worth(quality_usd=0.01, second_usd=0.0)
_NONE: Mapping[str, str] = MappingProxyType({})
_NO_EXPLORATION = Exploration()
_WISHES = ("auto", "economy", "balanced", "quality")


@dataclass(frozen=True, slots=True)
class Table:
    """What an operator has set: routes and tiers by task, what an answer is worth, and how far tasks are promoted."""

    routes: Mapping[str, tuple[str, ...]]
    tiers: Mapping[str, tuple[Tier, ...]] = field(default_factory=dict)
    worth: Worth = _WORTH
    promoted: Mapping[str, int] = field(default_factory=dict)
    exploration: Exploration = _NO_EXPLORATION


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: the name in `model`, how the prompt looks; `one_tokenizer` where it speaks of token ids.

    `safer`: the task is not sure, so a stronger model begins. `draw` in [0, 1) decides about exploration.
    """

    model: str
    classification: Classification | None = None
    tokens: int = 0
    complexity: float = 0.0
    one_tokenizer: bool = False
    safer: bool = False
    draw: float = 1.0


@dataclass(frozen=True, slots=True)
class Considered:
    """A model that was looked at: its terms in US dollars, or the reason why it fell out."""

    name: str
    refused: str = ""
    terms: tuple[tuple[str, float], ...] = ()

    @property
    def score(self) -> float:
        """The sum of the terms."""
        return sum(term for _, term in self.terms)


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan, and everything that was considered for it in the order of the route."""

    plan: Plan
    considered: tuple[Considered, ...]


def names(routes: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What may be asked for beside models."""
    return [_PREFIX + w for w in _WISHES] + [_PREFIX + t for t in routes if t not in (*_WISHES, "default")]


def needs_task(model: str) -> bool:
    """Whether the prompt must be classified for this request."""
    return model.removeprefix(_PREFIX) in _WISHES and model.startswith(_PREFIX)


def task_of(asked: Asked, routes: Mapping[str, tuple[str, ...]]) -> str | None:
    """The route a request goes by; None where it names a model."""
    wish = asked.model.removeprefix(_PREFIX) if asked.model.startswith(_PREFIX) else None
    if wish in _WISHES:
        label = asked.classification
        return label.task if label and label.task in routes else "default"
    return wish if wish in routes else None


def decide(
    asked: Asked, candidates: Mapping[str, Candidate], table: Table, ineligible: Mapping[str, str] = _NONE
) -> Decision:
    """The models a session may use, the first to begin with.

    A model without a candidate cannot go on with the client's own beginning; one that is `ineligible` cannot do what is
    asked, or may not, for the reason given there.

    Raises:
        UnknownModel: there is no such model.
        InvalidRequest: none of the route can answer it.
        PromptTooLong: the prompt fits into no model of the plan.
    """
    names, reason = listed(asked, [*candidates, *ineligible], table)
    left = names[: promoted_by(asked, table)]
    considered = tuple(_consider(name, candidates, table.worth, ineligible) for name in names)
    able = [c.name for c in considered if not c.refused]
    if not able:
        _refuse(considered, candidates, reason)
    ladder = tuple(able)
    able.sort(key=left.__contains__)
    if asked.one_tokenizer:
        able = [n for n in able if candidates[n].tokenizer == candidates[able[0]].tokenizer]
    scores = {c.name: c.score for c in considered}
    if task_of(asked, table.routes) and all(candidates[n].quality is not None for n in able):
        first = max(able, key=lambda n: (n not in left, scores[n], -able.index(n)))
        able = [first, *(n for n in able if n != first)]
        reason += ", the most valuable first"
    if asked.model == "ghost/quality":
        able = able[::-1]
    elif asked.model == "ghost/economy":
        able.sort(key=lambda n: (n in left, Option(n, candidates[n]).way.price_usd))
    if asked.safer and needs_task(asked.model):
        if asked.model != "ghost/quality" and not reason.startswith("tier"):
            able = [able[-1], *able[:-1]]
        reason += f", safer: {asked.classification.confidence if asked.classification else 0.0:.2f} sure of the task"
    propensity = 1.0
    if needs_task(asked.model):
        able, propensity, explored = _explore(able, candidates, asked, table.exploration)
        reason += explored
    why = tuple((n, ineligible[n]) for n in names if n in ineligible)
    return Decision(Plan(tuple(able), reason, asked.classification, why, ladder, propensity), considered)


def _explore(
    able: list[str], candidates: Mapping[str, Candidate], asked: Asked, rules: Exploration
) -> tuple[list[str], float, str]:
    """The models, perhaps with another one first; how probable this was; words for the reason."""
    usual_usd = Option(able[0], candidates[able[0]]).way.price_usd
    others = [n for n in able[1:] if Option(n, candidates[n]).way.price_usd - usual_usd <= rules.most_usd]
    if not rules.share or not others or asked.one_tokenizer:
        return able, 1.0, ""
    if asked.draw >= rules.share:
        return able, 1.0 - rules.share, ""
    first = others[int(asked.draw / rules.share * len(others))]
    return [first, *(n for n in able if n != first)], rules.share / len(others), f", explored instead of {able[0]}"


def make_plan(
    requested: str,
    candidates: Mapping[str, Candidate],
    routes: Mapping[str, tuple[str, ...]],
    classification: Classification | None,
    one_tokenizer: bool = False,
    ineligible: Mapping[str, str] = _NONE,
) -> Plan:
    """The plan of a decision by routes alone. Raises what `decide` raises."""
    asked = Asked(requested, classification, one_tokenizer=one_tokenizer)
    return decide(asked, candidates, Table(routes), ineligible).plan


def listed(asked: Asked, models: Collection[str], table: Table) -> tuple[tuple[str, ...], str]:
    """The models to consider, and why these; `models` are those that can be asked for by name.

    Raises:
        UnknownModel: there is no such model.
    """
    task = task_of(asked, table.routes)
    if task is None:
        if asked.model in models:
            return (asked.model,), "requested by name"
        known = ", ".join([AUTO, *models])
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


def promoted_by(asked: Asked, table: Table) -> int:
    """How many models at the beginning of a route without tiers are left to the end, as its task is promoted. The last
    one stays; who asks for quality begins with it anyway."""
    task, label = task_of(asked, table.routes), asked.classification
    wanted = label.task if label else task
    if task is None or wanted is None or asked.model == "ghost/quality":
        return 0
    if table.tiers.get(wanted) or table.tiers.get(task):
        return 0
    return min(table.promoted.get(wanted, 0), len(table.routes[task]) - 1)


def _consider(
    name: str, candidates: Mapping[str, Candidate], worth: Worth, ineligible: Mapping[str, str]
) -> Considered:
    if name in ineligible:
        return Considered(name, ineligible[name])
    if name not in candidates:
        return Considered(name, "cannot go on with a message that has begun")
    option = Option(name, candidates[name])
    refused = next((why for f in FILTERS if (why := f(option))), "")
    return Considered(name, refused, tuple((term, score(option, worth)) for term, score in SCORERS.items()))


def _refuse(considered: tuple[Considered, ...], candidates: Mapping[str, Candidate], reason: str) -> None:
    present = [c.name for c in considered if c.name in candidates]
    willing = [n for n in present if not candidates[n].refused]
    if not willing:
        whys = "; ".join(f"{c.name} {c.refused}" for c in considered)
        raise InvalidRequest(f"No model of {reason} can answer this: {whys}.")
    longest = max(willing, key=lambda n: candidates[n].context_tokens)
    raise PromptTooLong(
        f"The prompt has {candidates[longest].prompt_tokens} tokens and {longest} takes at most "
        f"{candidates[longest].context_tokens}, answer included. Shorten the messages."
    )
