"""How likely a model is to go wrong in what it has not written yet."""

from math import expm1, lgamma

from pydantic import BaseModel, ConfigDict, Field


class Remainder(BaseModel):
    """The share of steps in which the model goes wrong: a beta distribution over answers, with parameters alpha, beta.

    Answers differ - a model knows a subject or does not - so what an answer has shown so far says much about the rest
    of it. `tokens_per_step` is the mean length of a step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(gt=0)
    beta: float = Field(gt=0)
    tokens_per_step: float = Field(gt=0)

    @property
    def failures(self) -> float:
        """How many failed steps what is known of all answers is worth, against those of one answer."""
        return self.alpha

    def step_hazard(self, failed_steps: float = 0, clean_steps: float = 0) -> float:
        """The probability that the model goes wrong in its next step.

        `failed_steps` are the steps of this answer in which it has gone wrong (or was handed off), `clean_steps`
        those that it wrote without: the mean of the posterior of a beta-binomial.
        """
        seen = self.alpha + self.beta + failed_steps + clean_steps
        return (self.alpha + failed_steps) / seen

    def hazard(self, tokens: float, failed_steps: float = 0, clean_steps: float = 0) -> float:
        """The probability that it goes wrong anywhere in the next `tokens` tokens.

        1 - E[(1 - h)^steps] with h from the posterior, the steps taken as independent given h.
        """
        a, b = self.alpha + failed_steps, self.beta + clean_steps
        steps = tokens / self.tokens_per_step
        # E[(1-h)^n] = B(a, b+n) / B(a, b); lgamma also for a broken number of steps.
        log_clean = lgamma(b + steps) - lgamma(b) + lgamma(a + b) - lgamma(a + b + steps)
        return -expm1(log_clean)
