"""The data types that cross deployment boundaries: frozen, small and picklable."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from ghostrouter.conversation import NO_FEATURES, Features, Image, Message
from ghostrouter.money import Usage
from ghostrouter.span_context import Headers

KvMode = Literal["recompute", "prefix_cache", "transfer", "warm"]
Continuation = Literal["token_ids", "prefix", "instruct", "restart"]
# The fields of `Sampling` that a provider has values of its own for.
SamplingField = Literal["max_tokens", "temperature", "top_p", "seed"]
VerdictAction = Literal["handoff", "hand_back"]
# What replicas report of a segment to telemetry: a verdict, or whether its risk is raised.
Action = Literal["continue", "warm", "handoff", "hand_back"]


class ToolCallPart(NamedTuple):
    """A piece of a tool call.

    `number` counts the calls of an answer from 0. The first piece has the id and the name.
    """

    number: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class ReasoningPart(NamedTuple):
    """A piece of a model's reasoning. It is not part of the answer."""

    text: str


Aside = ToolCallPart | ReasoningPart


class Token(NamedTuple):
    """One generated token with its signals.

    * `text` never splits a UTF-8 character. A token that ends inside a character has an empty text; the token that
      completes the character has all of it.
    * `rank` counts from 1. `top_logprob` is the log-probability of the likeliest token, sampled or not.
    * `margin` is the log-probability of the likeliest token minus that of the second. `second_gap` is the same for the
      second and the third.
    * `entropy_nats` is the entropy of the whole next-token distribution before temperature. It equals both bounds. If
      only the top k are known, it is the middle of the bounds (`ghostrouter.signals.entropy`).
    * `inter_token_s` is the time since the previous token of the segment; for the first token, since the request.
    * `accepted_drafts` is the number of draft tokens accepted in the engine step of this token. `draft_acceptance` is
      the moving average of accepted / proposed drafts; 1 until the first are proposed.
    * `step_start` says that a reasoning step (a sentence or a line) begins with this token.
    * `alternatives` are the likeliest tokens as (text, log-probability), if the client asked for them.
    * `aside` is a piece of a tool call or of reasoning. Such a token has no text.
    * `repetition` and `novelty` (`ghostrouter.signals.surface`) are 0 if log-probabilities are known.
    * `risk` is the token's calibrated risk, if the client asked for it (`SegmentRequest.with_risks`). It is None if the
      model is not judged.
    * `is_form` says that the token is not judged: it follows from the answer's form (`ghostrouter.signals.form`), a
      grammar allowed no other, or it is a piece of a cloud model's call or reasoning, which has no signals.

    Tokens of cloud models have the id -1. Without log-probabilities a token is the text of one event, with the rank 0,
    the `logprob` -9999 (OpenAI's value for "not known"), and 0 for margin and entropies.
    """

    id: int
    text: str
    logprob: float
    rank: int
    margin: float
    entropy_nats: float
    entropy_lower_nats: float
    entropy_upper_nats: float
    inter_token_s: float
    accepted_drafts: int
    step_start: bool
    alternatives: tuple[tuple[str, float], ...] = ()
    top_logprob: float = 0.0
    second_gap: float = 0.0
    draft_acceptance: float = 1.0
    repetition: float = 0.0
    novelty: int = 0
    aside: Aside | None = None
    risk: float | None = None
    is_form: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether the entropy is exact, not only bounded."""
        return self.id >= 0 and self.entropy_lower_nats == self.entropy_upper_nats


class SegmentKey(NamedTuple):
    """The identity of a segment. Verdicts carry it, so that a late verdict is recognised."""

    session: str
    segment: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the signals say of a segment after its first `position` tokens.

    `onset` is the index (within the segment) of the first token to give up. For `handoff` it is where the trouble
    began, or the token that alarmed; for `hand_back` the first token of the new step.
    """

    key: SegmentKey
    position: int
    action: VerdictAction
    risk: float
    onset: int | None = None


@dataclass(frozen=True, slots=True)
class CloudPrompt:
    """The prompt for a cloud model: messages instead of token ids.

    `kept` is the text that the model must continue; "" at the start of an answer (`restart`). With `prefix` it is the
    last message. With `instruct` an instruction of `instruction_tokens` tokens follows it. Token counts are estimates.

    `pauses`: another model may go on after the next sentence, so that this one need not write further.
    """

    messages: tuple[Message, ...]
    continuation: Continuation
    kept: str
    prompt_tokens: int
    instruction_tokens: int = 0
    features: Features = NO_FEATURES
    pauses: bool = False


Prompt = tuple[int, ...] | CloudPrompt

FinishReason = Literal["stop", "length", "tool_calls"]
EndReason = Literal["stop", "length", "tool_calls", "handoff", "hand_back"]


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """Why an engine stopped writing.

    `held` are tokens up to the verdict's position that were never released: a seam may keep or drop them. After `stop`
    and `length` there are none. `dropped_tokens` were written after that position, before the engine stopped: they cost
    money and are not part of the answer. `usage` is what a provider reports.
    """

    reason: EndReason
    held: tuple[Token, ...] = ()
    verdict: Verdict | None = None
    usage: Usage | None = None
    dropped_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A small batch of consecutive tokens of one segment. The last frame of a segment has its `end`.

    `start` is the index of the first token within the segment. `replica` and `cached_tokens` (prompt tokens
    whose KV entries the engine already held) are told by the first frame. `risk_raised` says that the risk
    is raised: a target may be prepared. `pressure` says how close the replica is to its limits, from 0 to 1; None: it
    does not say.
    """

    key: SegmentKey
    start: int
    tokens: tuple[Token, ...]
    end: SegmentEnd | None = None
    replica: str = ""
    cached_tokens: int = 0
    risk_raised: bool = False
    pressure: float | None = None


@dataclass(frozen=True, slots=True)
class EngineSampling:
    """Sampling parameters of vLLM that OpenAI's API does not have. Only local models take them.

    Only the `top_k` likeliest tokens are sampled (0: all), and of them only those that are at least `min_p` times as
    likely as the likeliest. The answer also ends at one of `stop_token_ids`. With `ignore_eos` it goes on behind the
    end-of-text token.
    """

    top_k: int = 0
    min_p: float = 0.0
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of the fields that are set."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) != f.default)


NO_ENGINE_SAMPLING = EngineSampling()


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters. The fields have the meaning that they have in OpenAI's API.

    `max_tokens` and `min_tokens` apply to the whole answer. There is always a `seed`: if the client gives none, the
    planner draws one, so that a sampled answer continues after a seam as it would have without it. `unasked` names the
    fields that neither the client nor the configuration has set: engines need their values, providers do not get them.
    """

    max_tokens: int
    min_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    engine: EngineSampling = NO_ENGINE_SAMPLING
    unasked: frozenset[SamplingField] = frozenset()

    def wants(self, name: SamplingField) -> bool:
        """Whether somebody has asked for the value that a field has."""
        return name not in self.unasked


@dataclass(frozen=True, slots=True)
class Limits:
    """Which verdicts may end a segment.

    With `may_hand_off` the segment ends at the first token whose risk reaches `hand_off_at` (None: the threshold of the
    model's calibration). With `may_hand_back` it ends at the first calm step boundary. `answer_hand_off_at` is the same
    as `hand_off_at` for the probability that the answer is wrong and the next model can still rescue it.
    """

    may_hand_off: bool = False
    hand_off_at: float | None = None
    may_hand_back: bool = False
    answer_hand_off_at: float | None = None


NO_VERDICTS = Limits()


@dataclass(frozen=True, slots=True)
class Written:
    """How many characters of an answer are written: of its text, its reasoning, and the arguments of each tool call."""

    text: int = 0
    reasoning: int = 0
    arguments: tuple[int, ...] = ()

    @classmethod
    def of(cls, tokens: Iterable[Token]) -> "Written":
        """What tokens amount to."""
        text = reasoning = 0
        arguments: list[int] = []
        for token in tokens:
            text += len(token.text)
            if isinstance(token.aside, ReasoningPart):
                reasoning += len(token.aside.text)
            elif token.aside is not None:
                arguments += [0] * (token.aside.number + 1 - len(arguments))
                arguments[token.aside.number] += len(token.aside.arguments)
        return cls(text, reasoning, tuple(arguments))


NOTHING_WRITTEN = Written()


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """What an engine needs to write one segment.

    `prompt_ids` are the prompt and, after it, the `kept_tokens` tokens of the answer kept so far. A cloud model gets
    `cloud` instead. `limits` say which verdicts may end the segment; `scripted_end` ends it with a handoff after that
    many tokens, whatever the signals say. `prefer_replica` holds the prefix; `avoid_replica` has failed or is drained.

    `publish` hands the prompt's KV blocks out to whoever loads them with `transfer`. A `cold` request takes nothing
    from its replica's prefix cache and leaves nothing there, for experiments.

    `trace_headers` name the segment's span, so that the engine's own spans are its children; none without tracing.

    `with_risks`: each token gets its calibrated risk. `question` is the end of the last thing that the user said, if
    the segment begins the answer.

    `features` tell a local engine which form the answer must have. A cloud model reads them in `cloud`. `written` is
    what the kept tokens amount to, so that no part of a tool call is told twice. `images` are those of the
    conversation, for a local engine; each has one placeholder in `prompt_ids`.
    """

    key: SegmentKey
    model: str
    prompt_ids: tuple[int, ...]
    kept_tokens: int
    sampling: Sampling
    limits: Limits = NO_VERDICTS
    scripted_end: int | None = None
    avoid_replica: str = ""
    prefer_replica: str = ""
    cloud: CloudPrompt | None = None
    publish: bool = False
    transfer: bool = False
    cold: bool = False
    trace_headers: Headers = ()
    with_risks: bool = False
    question: str | None = None
    features: Features = NO_FEATURES
    written: Written = NOTHING_WRITTEN
    images: tuple[Image, ...] = ()

    @property
    def may_hand_off(self) -> bool:
        """Whether a risk may end the segment with a handoff."""
        return self.limits.may_hand_off

    @property
    def may_hand_back(self) -> bool:
        """Whether a calm step boundary may end the segment with a hand-back."""
        return self.limits.may_hand_back


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The status of a replica: the number of requests that its engine works on."""

    running: int


@dataclass(frozen=True, slots=True)
class Classification:
    """The label of a prompt: its task, the layer that found it, the confidence and the reason."""

    task: str
    layer: str
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class Shadow:
    """The plan of a learned router in shadow mode, and its probability of a good answer by model."""

    models: tuple[str, ...]
    probabilities: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class BanditRecord:
    """What the bandit chose for a session; enough to learn from it and to evaluate other policies.

    * `decides` says whether its `model` began; if not, it was only recorded.
    * `propensities` are its probabilities by model.
    * `features` describe the request.
    * `offers` are the models with the quality and cost that were assumed of them, `expected` with what it had learned.
    * `regret` is the expected value that was given up to learn.
    """

    model: str
    decides: bool
    propensities: tuple[tuple[str, float], ...]
    features: tuple[float, ...]
    offers: tuple[tuple[str, float, float], ...]
    expected: tuple[tuple[str, float, float], ...]
    regret: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The models that a session may use, in order of preference, and the reason.

    `ineligible` holds the other models of the route, each with its reason. `ladder` holds the models in order of
    strength, which handoffs follow; if it is empty, the order of preference is used. `propensity` is the probability
    with which the first model was chosen; it is below 1 with exploration. `scores` holds the terms of the value of each
    eligible model, in US dollars.
    """

    models: tuple[str, ...]
    reason: str
    classification: Classification | None = None
    ineligible: tuple[tuple[str, str], ...] = ()
    ladder: tuple[str, ...] = ()
    propensity: float = 1.0
    shadow: Shadow | None = None
    scores: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    bandit: BanditRecord | None = None

    @property
    def by_strength(self) -> tuple[str, ...]:
        """The models from the weakest to the strongest. The order of a route means strength."""
        return tuple(m for m in self.ladder if m in self.models) or self.models
