"""The decision for a call, from what is known of it: pure. Previews, calls and the command line decide by this."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from ghostrouter.access.keys import ANYONE, Caller
from ghostrouter.api.chat_request import ChatCall
from ghostrouter.classify.layers import Label, RuleLayer
from ghostrouter.classify.structure import complexity, estimate_tokens
from ghostrouter.config import CloudModel, GraphConfig, LocalModel
from ghostrouter.conversation import Message
from ghostrouter.errors import NotPermitted, TaskUnclear
from ghostrouter.money import Worth
from ghostrouter.policy import eligibility, overrides, plan, wishes
from ghostrouter.policy.observed import Observed
from ghostrouter.policy.option import EXPECTED_ANSWER_TOKENS
from ghostrouter.policy.value import price_usd
from ghostrouter.replay import prompts, tokenizers
from ghostrouter.sessions.ask import Ask
from ghostrouter.types import Classification, Shadow

UNLABELLED = Label(Classification("default", "none", 0.0, "not classified"))
_MOST_CHOICES = 4


@dataclass(frozen=True, slots=True)
class Models:
    """The models that there are, and what a prompt has to do with each: the part that does not change live."""

    by_name: Mapping[str, LocalModel | CloudModel]
    cloud: Mapping[str, CloudModel]
    tokenizers: Mapping[str, tokenizers.ChatTokenizer]
    context_tokens: Mapping[str, int]

    @classmethod
    def load(cls, config: GraphConfig) -> "Models":
        """Of a configuration; the tokenizers of its local models are read."""
        cloud = {m.name: m for m in config.cloud}
        context = {m.name: tokenizers.context_tokens(m) for m in config.models}
        context |= {m.name: m.context_tokens for m in config.cloud}
        by_name: dict[str, LocalModel | CloudModel] = {m.name: m for m in config.models}
        return cls(by_name | cloud, cloud, tokenizers.load(config.models), context)

    def first_prompts(self, call: ChatCall | Ask, names: Collection[str]) -> dict[str, prompts.FirstPrompt]:
        """What each of these models would be asked first."""
        local = {n: t for n, t in self.tokenizers.items() if n in names}
        cloud = {n: m for n, m in self.cloud.items() if n in names}
        return prompts.first_prompts(call.messages, call.continue_final, local, cloud, call.features)


@dataclass(frozen=True, slots=True)
class Present:
    """How things are at the moment of a decision: what is observed of the models, and which tasks are promoted."""

    observed: Observed
    promoted: Mapping[str, int]
    now_s: float = 0.0


NOTHING_SEEN = Present(Observed({}), {})


@dataclass(frozen=True, slots=True)
class Decided:
    """What a call amounts to before any model is asked; `stages_s` is the router's own time."""

    firsts: Mapping[str, prompts.FirstPrompt]
    candidates: Mapping[str, plan.Candidate]
    decision: plan.Decision
    label: Label
    learned: Mapping[str, float]
    worth: Worth | None
    stages_s: Mapping[str, float]


class Decider:
    """Decides for calls by one configuration; another configuration is another decider.

    Raises:
        ConfigError: a rule is wrong.
    """

    def __init__(self, config: GraphConfig, models: Models) -> None:
        self.config = config
        self._models = models
        self._rules = RuleLayer(config.routes, config.router, config.classify.encoder is not None)
        routes = {task: row.models for task, row in config.routes.items()}
        self._table = plan.Table(routes, config.router.tiers, exploration=config.router.exploration)
        self._terms: dict[Caller, overrides.Terms] = {}

    @property
    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """Task -> models."""
        return self._table.routes

    def names(self) -> list[str]:
        """What a client may ask for."""
        return [*plan.names(self.routes), *self._models.by_name]

    def terms(self, caller: Caller) -> overrides.Terms:
        """What holds for a caller."""
        found = self._terms.get(caller)
        if found is None:
            config = self.config
            found = self._terms[caller] = overrides.terms(caller, config.overrides, self._table, config.presets)
        return found

    def by_rules(self, call: ChatCall) -> tuple[Label | None, bool]:
        """What layer 1 says of a call, and whether that is the last word."""
        found = self._rules.by_rules(words(call), **seen(call))
        return found, self._rules.settles(found)

    def decide(
        self,
        call: ChatCall,
        label: Label,
        learned: Mapping[str, float],
        caller: Caller = ANYONE,
        present: Present = NOTHING_SEEN,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> Decided:
        """The decision for a call that is labelled; `learned` are the probabilities of a learned router, if any.

        Raises:
            RequestError: the call cannot be served as it is.
        """
        began_s, config, terms = clock(), self.config, self.terms(caller)
        if call.model in self._models.by_name and not (caller.may_use(call.model) and terms.may_use(call.model)):
            raise NotPermitted(f"This key may not use the model `{call.model}`.")
        asked = self._asked(call, label)
        worth = wishes.worth(call.wishes, call.model, terms.presets)
        table = replace(terms.table, worth=worth or terms.table.worth, promoted=present.promoted)
        caller.check_task(plan.task_of(asked, table.routes) or call.model)
        names, _ = plan.listed(asked, self._models.by_name, table)
        why_not = {name: why for name in names if (why := self._why_not(name, call, caller, terms))}
        firsts = self._models.first_prompts(call, [n for n in names if n not in why_not])
        counts = config.router.learned.mode == "serve"
        candidates = {n: self._candidate(n, f, learned.get(n) if counts else None, present) for n, f in firsts.items()}
        encoded_s = clock()
        decision = plan.decide(asked, candidates, table, why_not)
        worst_usd = {name: self._worst_usd(call, name, c) for name, c in candidates.items()}
        chosen = wishes.restrict(decision.plan, call.wishes, worst_usd)
        if learned and not counts:
            guessed = {n: replace(c, quality=learned.get(n)) for n, c in candidates.items()}
            other = plan.decide(replace(asked, draw=1.0), guessed, table, why_not).plan.models
            chosen = replace(chosen, shadow=Shadow(other, tuple(sorted(learned.items()))))
        stages_s = {"encode": encoded_s - began_s, "plan": clock() - encoded_s}
        return Decided(firsts, candidates, replace(decision, plan=chosen), label, learned, worth, stages_s)

    def _asked(self, call: ChatCall, label: Label) -> plan.Asked:
        text = words(call)
        tokens = estimate_tokens(text)
        classified = plan.needs_task(call.model)
        said, rules = label.classification, self.config.router.low_confidence
        unsure = classified and said.confidence < rules.below
        what = (rules.interactive if call.wishes.interactive else rules.api) if unsure else "ignore"
        if what == "ask":
            likely = (said.task, *(task for task, _, _ in label.nearest), *self.routes)
            choices = tuple(t for t in dict.fromkeys(likely) if t in self.routes)[:_MOST_CHOICES]
            raise TaskUnclear(
                f"It is not clear what is wanted ({said.reason}). Ask again with `model` one of "
                f"{', '.join(f'`ghost/{t}`' for t in choices if t != 'default') or 'the models'}, or without "
                "`ghost.interactive`.",
                choices,
            )
        return plan.Asked(
            call.model,
            said if classified else None,
            tokens,
            complexity(text, tokens),
            one_tokenizer=bool(call.logit_bias),
            safer=what == "safer",
            draw=_draw(text, self.config.router.exploration.salt),
        )

    def _why_not(self, name: str, call: ChatCall, caller: Caller, terms: overrides.Terms) -> str:
        if not caller.may_use(name) or not terms.may_use(name):
            return "not for this key"
        return eligibility.why_not(self._models.by_name[name], call.needs)

    def _candidate(
        self, name: str, first: prompts.FirstPrompt, quality: float | None, present: Present
    ) -> plan.Candidate:
        known = self._models.tokenizers
        return plan.Candidate(
            self._models.context_tokens[name],
            first.tokens + first.reserved_tokens,
            known[name].fingerprint if name in known else name,
            price=self._models.by_name[name].price,
            quality=quality,
            wait_s=present.observed.wait_s(name, EXPECTED_ANSWER_TOKENS),
            failing=present.observed.failing(name, present.now_s),
        )

    def _worst_usd(self, call: ChatCall, name: str, candidate: plan.Candidate) -> float:
        """What an answer of one model costs at most."""
        longest = max(0, min(call.max_tokens or candidate.room_tokens, candidate.room_tokens))
        return price_usd(self._models.by_name[name].price, candidate.prompt_tokens, longest)


def words(call: ChatCall) -> str:
    """What the user said last."""
    return last_words(call.messages)


def last_words(messages: tuple[Message, ...]) -> str:
    """What the user said last in a conversation."""
    return next((m.content for m in reversed(messages) if m.role == "user"), messages[-1].content)


def seen(call: ChatCall) -> dict[str, bool]:
    """What is seen of a call besides its words."""
    return {"image": bool(call.needs.images), "tools": bool(call.features.tools)}


def _draw(text: str, salt: str) -> float:
    """A number in [0, 1) that follows from a prompt: a preview explores as the call does."""
    digest = hashlib.sha256(f"{salt}\0{text}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
