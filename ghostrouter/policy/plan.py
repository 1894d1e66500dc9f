"""Before the first token: the models a session may use, in order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ghostrouter.errors import InvalidRequest, PromptTooLong, UnknownModel
from ghostrouter.types import Classification, Plan

AUTO = "ghost/auto"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the policy knows of a model: its context window, how long the prompt is in its tokens, its tokenizer."""

    context_tokens: int
    prompt_tokens: int
    tokenizer: str = ""

    @property
    def room_tokens(self) -> int:
        """How many tokens an answer may have."""
        return self.context_tokens - self.prompt_tokens


def make_plan(
    requested: str,
    candidates: Mapping[str, Candidate],
    routes: Mapping[str, tuple[str, ...]],
    classification: Classification | None,
    one_tokenizer: bool = False,
    ineligible: Mapping[str, str] = MappingProxyType({}),
    known: Collection[str] = (),
) -> Plan:
    """The plan for a request: the model it names, or for AUTO those of its task's route that have room.

    With `one_tokenizer` only those that share the tokenizer of the first: the request speaks of token ids.

    A model without a candidate cannot go on with the client's own beginning; one that is `ineligible` cannot do what is
    asked, or may not, for the reason given there. `known` are all names there are, for the message.

    Raises:
        UnknownModel: there is no such model.
        InvalidRequest: none of the route can answer it.
        PromptTooLong: the prompt fits into no model of the plan.
    """
    if requested == AUTO:
        task = classification.task if classification and classification.task in routes else "default"
        names, reason = routes[task], f"route {task}"
    elif requested in candidates or requested in ineligible:
        names, reason = (requested,), "requested by name"
    else:
        names_known = ", ".join([AUTO, *(known or candidates)])
        raise UnknownModel(f"The model `{requested}` does not exist. Models: {names_known}.")
    why = tuple((n, ineligible[n]) for n in names if n in ineligible)
    able = [n for n in names if n in candidates and n not in ineligible]
    if not able and why:
        told = "; ".join(f"{name} {reason}" for name, reason in why)
        raise InvalidRequest(f"No model of {reason} can answer this: {told}.")
    if not able:
        raise InvalidRequest(f"No model of {reason} can go on with a message that has begun.")
    fitting = tuple(n for n in able if candidates[n].room_tokens > 0)
    if not fitting:
        longest = max(able, key=lambda n: candidates[n].context_tokens)
        raise PromptTooLong(
            f"The prompt has {candidates[longest].prompt_tokens} tokens and {longest} takes at most "
            f"{candidates[longest].context_tokens}, answer included. Shorten the messages."
        )
    if one_tokenizer:
        fitting = tuple(n for n in fitting if candidates[n].tokenizer == candidates[fitting[0]].tokenizer)
    return Plan(fitting, reason, classification, why)
