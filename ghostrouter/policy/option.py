"""A model as the policy sees it for one call."""

from dataclasses import dataclass

from ghostrouter.money import Price
from ghostrouter.policy.cost import price_usd
from ghostrouter.policy.value import Expectation

EXPECTED_ANSWER_TOKENS = 256
_FREE = Price()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the policy knows of an eligible model for one call.

    `context_tokens` is its context window, `prompt_tokens` the length of the prompt in its `tokenizer`. `quality` is
    the probability of a good answer; None without a learned router. `wait_s` is the expected time of its answer, queue
    included. `failing` is the share of its calls that fail now. `pressure` is that of its replicas, from 0 to 1.
    `estimated`: the length of the prompt is an estimate, because only the provider knows the tokenizer.
    """

    context_tokens: int
    prompt_tokens: int
    tokenizer: str = ""
    price: Price = _FREE
    quality: float | None = None
    wait_s: float = 0.0
    failing: float = 0.0
    pressure: float = 0.0
    estimated: bool = False

    @property
    def room_tokens(self) -> int:
        """How many tokens an answer may have; 0 or less if the prompt does not fit."""
        return self.context_tokens - self.prompt_tokens

    @property
    def fits(self) -> bool:
        """Whether the prompt fits. If its length is an estimate, the provider may see it differently."""
        return self.room_tokens > 0


@dataclass(frozen=True, slots=True)
class Option:
    """One choice: a model by name, and what is known of it."""

    name: str
    candidate: Candidate
    answer_tokens: int = EXPECTED_ANSWER_TOKENS

    @property
    def expected(self) -> Expectation:
        """What its answer is expected to bring and to cost."""
        found = self.candidate
        cost = price_usd(found.price, found.prompt_tokens, self.answer_tokens)
        return Expectation((found.quality or 0.0) * (1 - found.failing), cost, found.wait_s, found.pressure)
