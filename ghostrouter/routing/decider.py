"""The routing decision for a call, as a pure function. Calls, previews and the command line all use it."""

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
from ghostrouter.learn.bandit import Beliefs
from ghostrouter.money import Worth
from ghostrouter.policy import cost, eligibility, overrides, plan, preferences, presets
from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.policy.option import EXPECTED_ANSWER_TOKENS
from ghostrouter.replay import prompts, tokenizers
from ghostrouter.routing.first_choice import with_first_choice
from ghostrouter.sessions.ask import Ask
from ghostrouter.types import Classification, Plan, Prompt, Shadow

UNLABELLED = Label(Classification("default", "none", 0.0, "not classified"))
_MAX_CHOICES = 4


@dataclass(frozen=True, slots=True)
class Models:
    """The configured models with their tokenizers and context windows. They do not change while the service runs."""

    by_name: Mapping[str, LocalModel | CloudModel]
    cloud: Mapping[str, CloudModel]
    tokenizers: Mapping[str, tokenizers.ChatTokenizer]
    context_tokens: Mapping[str, int]

    @classmethod
    def load(cls, config: GraphConfig) -> "Models":
        """The models of a configuration. Reads the tokenizers of its local models from disk."""
        cloud = {m.name: m for m in config.cloud}
        context = {m.name: tokenizers.context_tokens(m) for m in config.models}
        context |= {m.name: m.context_tokens for m in config.cloud}
        by_name: dict[str, LocalModel | CloudModel] = {m.name: m for m in config.models}
        return cls(by_name | cloud, cloud, tokenizers.load(config.models), context)

    def first_prompts(self, call: ChatCall | Ask, names: Collection[str]) -> dict[str, prompts.FirstPrompt]:
        """The first prompt for each of the named models.

        One that is certainly too long for a model is not encoded: it is empty, with a lower bound of its tokens.
        """
        local = {n: t for n, t in self.tokenizers.items() if n in names}
        cloud = {n: m for n, m in self.cloud.items() if n in names}
        least = {n: t.least_tokens(call.messages) for n, t in local.items()}
        too_long = {
            n: prompts.FirstPrompt((), tokens) for n, tokens in least.items() if tokens > self.context_tokens[n]
        }
        fitting = {n: t for n, t in local.items() if n not in too_long}
        return too_long | prompts.first_prompts(call.messages, call.continue_final, fitting, cloud, call.features)


@dataclass(frozen=True, slots=True)
class RuntimeState:
    """The state of the service at a decision: the statistics of its models, and the levels of promoted tasks.

    `beliefs` are the bandit's; None: there is no bandit, or it is not known yet what it believes.
    """

    stats: FleetStats
    promoted: Mapping[str, int]
    now_s: float = 0.0
    beliefs: Beliefs | None = None


NO_OBSERVATIONS = RuntimeState(FleetStats({}), {})


@dataclass(frozen=True, slots=True)
class CallDecision:
    """Everything that is decided about a call before a model is asked.

    `learned` maps models to the learned router's probabilities. `stages_s` maps stages of the router to their seconds.
    """

    firsts: Mapping[str, prompts.FirstPrompt]
    candidates: Mapping[str, plan.Candidate]
    decision: plan.Decision
    label: Label
    learned: Mapping[str, float]
    worth: Worth | None
    stages_s: Mapping[str, float]


class Decider:
    """Decides for calls by one configuration. A new configuration needs a new decider.

    Raises:
        ConfigError: a rule is wrong.
    """

    def __init__(self, config: GraphConfig, models: Models) -> None:
        self.config = config
        self._models = models
        self._rules = RuleLayer(config.routes, config.router, config.encoder is not None)
        routes = {task: row.models for task, row in config.routes.items()}
        self._table = plan.Table(
            routes, config.router.tiers, exploration=config.router.exploration, presets=tuple(config.presets)
        )
        self._rules_by_caller: dict[Caller, overrides.CallerRules] = {}

    @property
    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """The routes: task -> models."""
        return self._table.routes

    def names(self) -> list[str]:
        """The names that a client may put into `model`."""
        return [*self._table.names(), *self._models.by_name]

    def rules_for(self, caller: Caller) -> overrides.CallerRules:
        """The rules for a caller, overrides applied."""
        found = self._rules_by_caller.get(caller)
        if found is None:
            config = self.config
            found = overrides.caller_rules(caller, config.overrides, self._table, config.presets)
            self._rules_by_caller[caller] = found
        return found

    def needs_task(self, call: ChatCall, caller: Caller = ANYONE) -> bool:
        """Whether the prompt must be labelled before `decide`."""
        return self.rules_for(caller).table.names_preset(call.model)

    def by_rules(self, call: ChatCall) -> tuple[Label | None, bool]:
        """The label by rules (layer 1), and whether it is final."""
        found = self._rules.by_rules(last_user_text(call), **content_flags(call))
        return found, self._rules.settles(found)

    def decide(
        self,
        call: ChatCall,
        label: Label,
        learned: Mapping[str, float],
        caller: Caller = ANYONE,
        state: RuntimeState = NO_OBSERVATIONS,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> CallDecision:
        """Decide for a labelled call.

        `learned` maps models to the probabilities of the learned router, if there is one.

        Raises:
            RequestError: the call cannot be served.
        """
        began_s, config, rules = clock(), self.config, self.rules_for(caller)
        if call.model in self._models.by_name and not (caller.may_use(call.model) and rules.may_use(call.model)):
            raise NotPermitted(f"This key may not use the model `{call.model}`.")
        asked = self._asked(call, label, rules.table, caller.explore)
        worth = presets.worth(call.preferences, call.model, rules.presets)
        table = replace(rules.table, worth=worth or rules.table.worth, promoted=state.promoted)
        caller.check_task(plan.task_of(asked, table) or call.model)
        names, _ = plan.models_for(asked, self._models.by_name, table)
        why_not = {name: why for name in names if (why := self._why_not(name, call, caller, rules))}
        firsts = self._models.first_prompts(call, [n for n in names if n not in why_not])
        why_not |= dict.fromkeys((n for n in names if n not in why_not and n not in firsts), plan.CANNOT_CONTINUE)
        counts = config.router.learned.mode == "serve"
        candidates = {n: self._candidate(n, f, learned.get(n) if counts else None, state) for n, f in firsts.items()}
        encoded_s = clock()
        decision = plan.decide(asked, candidates, table, why_not)
        worst_usd = {name: self._worst_usd(call, name, firsts[name].prompt, c) for name, c in candidates.items()}
        chosen = preferences.restrict(decision.plan, call.preferences, worst_usd)
        if learned and not counts:
            guessed = {n: replace(c, quality=learned.get(n)) for n, c in candidates.items()}
            other = plan.decide(replace(asked, draw=1.0), guessed, table, why_not).plan.models
            chosen = replace(chosen, shadow=Shadow(other, tuple(sorted(learned.items()))))
        if beliefs := self._beliefs(call, asked, table, state):
            text, may_explore = last_user_text(call), caller.explore
            chosen = self._with_first_choice(chosen, candidates, asked, learned, beliefs, table, text, may_explore)
        stages_s = {"encode": encoded_s - began_s, "plan": clock() - encoded_s}
        return CallDecision(firsts, candidates, replace(decision, plan=chosen), label, learned, worth, stages_s)

    def _asked(self, call: ChatCall, label: Label, table: plan.Table, explore: bool) -> plan.PlanRequest:
        text = last_user_text(call)
        tokens = estimate_tokens(text)
        classified = table.names_preset(call.model)
        found, rules = label.classification, self.config.router.low_confidence
        unsure = classified and found.confidence < rules.below
        action = (rules.interactive if call.preferences.interactive else rules.api) if unsure else "ignore"
        if action == "ask":
            likely = (found.task, *(task for task, _, _ in label.nearest), *self.routes)
            choices = tuple(t for t in dict.fromkeys(likely) if t in self.routes)[:_MAX_CHOICES]
            raise TaskUnclear(
                f"The task of the prompt is unclear ({found.reason}). Ask again with `model` one of "
                f"{', '.join(f'`ghost/{t}`' for t in choices if t != 'default') or 'the models'}, or without "
                "`ghost.interactive`.",
                choices,
            )
        return plan.PlanRequest(
            call.model,
            found if classified else None,
            tokens,
            complexity(text, tokens),
            one_tokenizer=bool(call.logit_bias),
            safer=action == "safer",
            draw=_draw(text, self.config.router.exploration.salt) if explore else 1.0,
        )

    def _beliefs(
        self, call: ChatCall, asked: plan.PlanRequest, table: plan.Table, state: RuntimeState
    ) -> Beliefs | None:
        """The bandit's beliefs, if it may choose for this call."""
        if self.config.router.bandit.stage == "off" or asked.one_tokenizer or asked.safer:
            return None
        return state.beliefs if table.names_preset(call.model) and presets.order(call.model) == "value" else None

    def _with_first_choice(
        self,
        chosen: Plan,
        candidates: Mapping[str, plan.Candidate],
        asked: plan.PlanRequest,
        learned: Mapping[str, float],
        beliefs: Beliefs,
        table: plan.Table,
        text: str,
        may_explore: bool,
    ) -> Plan:
        salt = self.config.router.exploration.salt
        return with_first_choice(
            chosen,
            candidates,
            (asked.complexity, asked.tokens),
            tuple(self._models.by_name),
            learned,
            table.worth,
            beliefs,
            self.config.router.bandit,
            may_explore,
            lambda purpose: _draw(text, f"{salt}/{purpose}"),
        )

    def _why_not(self, name: str, call: ChatCall, caller: Caller, rules: overrides.CallerRules) -> str:
        if not caller.may_use(name) or not rules.may_use(name):
            return "is not allowed for this key"
        tokenizer = self._models.tokenizers.get(name)
        return eligibility.why_not(self._models.by_name[name], call.needs, tokenizer.format if tokenizer else None)

    def _candidate(
        self, name: str, first: prompts.FirstPrompt, quality: float | None, state: RuntimeState
    ) -> plan.Candidate:
        known = self._models.tokenizers
        return plan.Candidate(
            self._models.context_tokens[name],
            first.tokens + first.reserved_tokens,
            known[name].fingerprint if name in known else name,
            price=self._models.by_name[name].price,
            quality=quality,
            wait_s=state.stats.wait_s(name, EXPECTED_ANSWER_TOKENS),
            failing=state.stats.of(name).failure_share(state.now_s),
            pressure=state.stats.of(name).pressure(state.now_s),
            estimated=name in self._models.cloud,
        )

    def _worst_usd(self, call: ChatCall, name: str, prompt: Prompt, candidate: plan.Candidate) -> float:
        """The highest possible cost of an answer by one model, as budgets reserve it."""
        model = self._models.by_name[name]
        longest = cost.longest_answer(model, candidate.room_tokens, call.max_tokens)
        return cost.worst_usd(model, prompt, longest, len(call.needs.images))


def last_user_text(call: ChatCall) -> str:
    """The text of the last user message of a call."""
    return last_user_text_in(call.messages)


def last_user_text_in(messages: tuple[Message, ...]) -> str:
    """The text of the last user message of a conversation."""
    return next((m.content for m in reversed(messages) if m.role == "user"), messages[-1].content)


def content_flags(call: ChatCall) -> dict[str, bool]:
    """What a call contains besides text: images, tools."""
    return {"image": bool(call.needs.images), "tools": bool(call.features.tools)}


def _draw(text: str, salt: str) -> float:
    """A number in [0, 1) that depends on the prompt alone, so that a preview explores as the call does."""
    digest = hashlib.sha256(f"{salt}\0{text}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
