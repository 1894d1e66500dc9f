"""Which verdicts may end a segment, and from which risk on.

All that decides is the request, the answer so far, prices, calibrations and configuration. Nothing is learned from
other answers and nothing is timed: the same request gets the same limits on any machine under any load.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ghostrouter.money import Price, Worth
from ghostrouter.policy import switch
from ghostrouter.policy.cost import most_usd
from ghostrouter.sessions.session import Session
from ghostrouter.types import Limits

# About a sentence: how much a handoff writes if no calibration knows the length of a step.
_RUN_TOKENS = 16.0


class Remainder(Protocol):
    """What is known of how often a model goes wrong (`ghostrouter.detect.remainder`)."""

    @property
    def tokens_per_step(self) -> float: ...

    @property
    def failures(self) -> float: ...

    def hazard(self, tokens: float, failed_steps: float = 0, clean_steps: float = 0) -> float: ...

    def step_hazard(self, failed_steps: float = 0, clean_steps: float = 0) -> float: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model: its price, how often it goes wrong, and the share of that which is noticed.

    `answer_tokens` is the mean length of its answers, if they are judged as a whole; else None.
    """

    price: Price
    remainder: Remainder | None = None
    recall: float = 0.0
    answer_tokens: float | None = None


class Switching:
    """Where prices differ, a change must be worth its cost. Where they do not, the calibration's thresholds decide.

    `stall_s` is how long a caller is assumed to wait at a change of model (`sessions.expected_stall_s`). It counts only
    where a second has a worth.
    """

    def __init__(self, models: Mapping[str, Known], stall_s: float = 0.1) -> None:
        self._models = models
        self._stall_s = stall_s

    def limits(self, session: Session, models: Sequence[str], current: str, rules: switch.SwitchRules) -> Limits:
        """The limits of the segment that `current` is about to write, the newest of the session."""
        handoffs, prefix_tokens = session.handoffs, session.current.prompt_tokens
        stronger, cheaper = switch.stronger(models, current), switch.cheaper(models, current)
        off, at, answer_at = False, None, None
        if switch.may_hand_off(models, current, handoffs, rules) and self.is_affordable(session, stronger):
            off, at = self._hand_off(current, stronger, session.ask.worth, prefix_tokens)
            answer_at = self._answer_off_at(current, stronger, session.ask.worth, prefix_tokens)
        back = cheaper is not None and switch.may_hand_back(models, current, handoffs, rules)
        back = back and self._is_worth_handing_back(session, current, cheaper or "", prefix_tokens)
        return Limits(off, at, back, answer_at)

    def is_affordable(self, session: Session, target: str | None) -> bool:
        """Whether `target` could write all the rest, even if the current model takes the handoff at its last token."""
        budget_usd = session.ask.preferences.budget_usd
        if budget_usd is None or target is None:
            return True
        prices = {name: known.price for name, known in self._models.items()}
        spent_usd = sum(
            most_usd(prices[s.model], s.prompt_tokens, s.generated_tokens) if s.model in prices else s.cost_usd or 0.0
            for s in session.segments
        )
        left = session.ask.sampling.max_tokens - session.kept_tokens
        read_usd = most_usd(prices[target], session.current.prompt_tokens + left, 0)
        write_usd = max(most_usd(prices[m], 0, left) for m in (session.current.model, target))
        return spent_usd + read_usd + write_usd <= budget_usd

    def _hand_off(
        self, current: str, target: str | None, worth: Worth | None, prefix_tokens: int
    ) -> tuple[bool, float | None]:
        """Whether any risk is worth a handoff, and from which on; None: what the calibration says."""
        change = self._change(current, target, prefix_tokens, self._step_tokens(current))
        if worth is None or change is None or change.target == change.source:
            return True, None
        at = switch.hand_off_at(change, worth)
        return at is not None, at

    def _answer_off_at(self, current: str, target: str | None, worth: Worth | None, prefix_tokens: int) -> float | None:
        """How likely a rescue must be to be worth the handoff. None: nothing to weigh, the alarm risk decides.

        A rescue: the answer is wrong, and the next model still puts it right. There is nothing to weigh without a
        worth, without a calibration of whole answers, or without a change of price.

        The target is assumed to write as many tokens as the current model's whole answers have.
        """
        known = self._models.get(current)
        if worth is None or known is None or known.answer_tokens is None:
            return None
        change = self._change(current, target, prefix_tokens, known.answer_tokens)
        if change is None or change.target == change.source:
            return None
        return switch.hand_off_at(change, worth)

    def _is_worth_handing_back(self, session: Session, current: str, cheaper: str, prefix_tokens: int) -> bool:
        known, worth = self._models.get(cheaper), session.ask.worth
        if known is not None and known.remainder is None and known.answer_tokens is not None:
            return False  # its calibration judges whole answers only, and would not notice an error in the rest
        if worth is None or known is None or known.remainder is None:
            return True
        failed, clean = steps(session, cheaper)
        left = session.ask.sampling.max_tokens - session.kept_tokens
        run_tokens = min(left, _run_tokens(session, cheaper, known.remainder))
        change = self._change(current, cheaper, prefix_tokens, run_tokens)
        if change is None or change.target == change.source:
            return True
        return switch.is_worth_handing_back(
            change, worth, known.remainder.hazard(run_tokens, failed, clean), known.recall
        )

    def _step_tokens(self, model: str) -> float:
        """How many tokens a stronger model is assumed to write before it hands back: one step."""
        known = self._models.get(model)
        return known.remainder.tokens_per_step if known and known.remainder else _RUN_TOKENS

    def _change(self, source: str, target: str | None, prefix_tokens: int, run_tokens: float) -> switch.Change | None:
        a, b = self._models.get(source), self._models.get(target or "")
        if target is None or a is None or b is None:
            return None
        return switch.Change(a.price, b.price, prefix_tokens, run_tokens, self._stall_s)


def steps(session: Session, model: str) -> tuple[int, int]:
    """In how many steps of this answer the model has gone wrong, and how many other steps it has written."""
    failed = clean = 0
    for segment in session.segments:
        if segment.model == model:
            wrong = segment.end is not None and segment.end.reason == "handoff"
            begun = segment.tokens[0].step_start if segment.tokens else False
            failed += wrong
            clean += sum(t.step_start for t in segment.tokens) + (not begun) - wrong
    return failed, max(0, clean)


def _run_tokens(session: Session, model: str, remainder: Remainder) -> float:
    """How many tokens the model is likely to write before it goes wrong.

    The error rate per token has a gamma prior with the weight of `remainder.failures` errors. The errors of this answer
    are added to it.
    """
    usual = remainder.tokens_per_step / remainder.step_hazard()
    written = failed = 0
    for segment in session.segments:
        if segment.model == model:
            written += len(segment.tokens)
            failed += segment.end is not None and segment.end.reason == "handoff"
    return (remainder.failures * usual + written) / (remainder.failures + failed)
