"""What the policy knows of a model for one call."""

from dataclasses import dataclass

from ghostrouter.money import Price
from ghostrouter.policy.value import Way, price_usd

EXPECTED_ANSWER_TOKENS = 256
_FREE = Price()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the policy knows of a model: its context window, how long the prompt is in its tokens, its tokenizer.

    `refused` is why it may not take the call, empty if it may. `quality` is the probability of a good answer, None
    where nobody has learned it; `wait_s` is the time its answer is expected to take, queue included; `failing` is the
    share of its calls that fail at present.
    """

    context_tokens: int
    prompt_tokens: int
    tokenizer: str = ""
    price: Price = _FREE
    refused: str = ""
    quality: float | None = None
    wait_s: float = 0.0
    failing: float = 0.0

    @property
    def room_tokens(self) -> int:
        """How many tokens an answer may have."""
        return self.context_tokens - self.prompt_tokens


@dataclass(frozen=True, slots=True)
class Option:
    """A model by its name, and the way to answer with it."""

    name: str
    candidate: Candidate
    answer_tokens: int = EXPECTED_ANSWER_TOKENS

    @property
    def way(self) -> Way:
        """What is expected of it."""
        found = self.candidate
        cost = price_usd(found.price, found.prompt_tokens, self.answer_tokens)
        return Way((found.quality or 0.0) * (1 - found.failing), cost, found.wait_s)
