"""How likely a model is to go wrong in the rest of an answer."""

from math import expm1, lgamma

from pydantic import BaseModel, ConfigDict, Field


class Remainder(BaseModel):
    """The share of wrong steps in an answer, as a beta distribution over answers with parameters alpha and beta.

    Answers differ: a model knows a subject or it does not. Therefore the steps written so far say much about the rest.
    `tokens_per_step` is the mean length of a step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(gt=0)
    beta: float = Field(gt=0)
    tokens_per_step: float = Field(gt=0)

    @property
    def failures(self) -> float:
        """The weight of the prior, as a number of failed steps."""
        return self.alpha

    def step_hazard(self, failed_steps: float = 0, clean_steps: float = 0) -> float:
        """The probability that the model goes wrong in its next step: the posterior mean of a beta-binomial.

        `failed_steps` are the steps of this answer in which it went wrong or was handed off. `clean_steps` are the
        other steps that it wrote.
        """
        seen = self.alpha + self.beta + failed_steps + clean_steps
        return (self.alpha + failed_steps) / seen

    def hazard(self, tokens: float, failed_steps: float = 0, clean_steps: float = 0) -> float:
        """The probability that the model goes wrong at least once in the next `tokens` tokens.

        It is 1 - E[(1 - h)^steps] with h from the posterior. Steps are independent given h.
        """
        a, b = self.alpha + failed_steps, self.beta + clean_steps
        steps = tokens / self.tokens_per_step
        # E[(1-h)^n] = B(a, b+n) / B(a, b). With lgamma the number of steps need not be whole.
        log_clean = lgamma(b + steps) - lgamma(b) + lgamma(a + b) - lgamma(a + b + steps)
        return -expm1(log_clean)
