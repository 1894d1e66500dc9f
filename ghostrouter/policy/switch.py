"""Whether another model should take over in mid-answer, and which one. What follows a failure is in `retry.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

from ghostrouter.money import Price, Worth
from ghostrouter.policy.cost import price_usd


@dataclass(frozen=True, slots=True)
class SwitchRules:
    """What an operator allows: changes of engine, hand-backs to a cheaper model, failed engines and refused seams."""

    max_handoffs: int
    hand_back: bool
    max_failures: int = 4


def stronger(models: Sequence[str], current: str) -> str | None:
    """The next model of the plan after `current`."""
    following = models[models.index(current) + 1 :] if current in models else ()
    return following[0] if following else None


def cheaper(models: Sequence[str], current: str) -> str | None:
    """The model of the plan just before `current`."""
    preceding = models[: models.index(current)] if current in models else ()
    return preceding[-1] if preceding else None


def may_hand_off(models: Sequence[str], current: str, handoffs: int, rules: SwitchRules) -> bool:
    """Whether a verdict may move the answer to a stronger model."""
    return handoffs < rules.max_handoffs and stronger(models, current) is not None


def may_hand_back(models: Sequence[str], current: str, handoffs: int, rules: SwitchRules) -> bool:
    """Whether a verdict may return the answer to a cheaper model; a handoff must still be allowed afterwards."""
    return rules.hand_back and handoffs + 1 < rules.max_handoffs and cheaper(models, current) is not None


@dataclass(frozen=True, slots=True)
class Change:
    """What a change of model is expected to involve.

    The target reads `prefix_tokens` and writes `run_tokens` before the next change. The caller waits `stall_s`.
    """

    source: Price
    target: Price
    prefix_tokens: int
    run_tokens: float
    stall_s: float

    def extra_usd(self, worth: Worth) -> float:
        """What the change costs beyond staying; negative where it saves money."""
        going = price_usd(self.target, self.prefix_tokens, self.run_tokens) + self.stall_s * worth.second_usd
        return going - price_usd(self.source, 0, self.run_tokens)


def hand_off_at(change: Change, worth: Worth) -> float | None:
    """The risk from which on a handoff is worth more than it costs; None if a right answer is worth nothing.

    Staying costs `risk * quality_usd` on average. The result is the risk at which that equals the cost of the change;
    0 if the change saves money.
    """
    return max(0.0, change.extra_usd(worth)) / worth.quality_usd if worth.quality_usd > 0 else None


def is_worth_handing_back(change: Change, worth: Worth, hazard: float, recall: float) -> bool:
    """Whether a hand-back to the cheaper model saves more than it risks.

    The cheaper model goes wrong in the run with the probability `hazard`. Then the answer is handed off again with the
    probability `recall`, which costs another stall and prefill; else nobody notices, and the answer is lost.
    """
    prefix_tokens = change.prefix_tokens + change.run_tokens
    again_usd = change.stall_s * worth.second_usd + price_usd(change.source, prefix_tokens, 0)
    danger_usd = hazard * (recall * again_usd + (1 - recall) * worth.quality_usd)
    return change.extra_usd(worth) + danger_usd < 0
