"""The thresholds of one segment: the risk that is worth a handoff, and whether to hand back at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ghostrouter.money import Price, Worth
from ghostrouter.policy import switch
from ghostrouter.policy.value import price_usd
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session

_FORGET = 0.95
# Before anything is known: a handoff writes about a sentence.
_RUN_TOKENS = 16.0
_STALL_S = 0.1


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
    """What is known of a model: its price, how often it goes wrong, and the share of that which is noticed."""

    price: Price
    remainder: Remainder | None = None
    recall: float = 0.0


class Thresholds(NamedTuple):
    """Risks as `SegmentRequest` carries them: NaN leaves it to the calibration, an infinite one forbids the change."""

    hand_off_at: float
    hand_back_below: float


class Switching:
    """Decides by value where prices differ, by calibration where there is nothing to weigh.

    Learns from all sessions how many tokens a model writes after a handoff to it, how long that takes to begin, and how
    many of them come too late to be wanted: averages that forget, a half of what they know in about 13 segments.
    """

    def __init__(self, models: Mapping[str, Known]) -> None:
        self._models = models
        self._run_tokens: dict[str, float] = {}
        self._stall_s: dict[str, float] = {}
        self._late_tokens: dict[str, float] = {}

    def observe(self, segment: Segment) -> None:
        """Learn from a segment that a handoff opened and that has ended, for the session goes on elsewhere.

        What counts is what was paid for, not what was kept.
        """
        written = segment.used.completion_tokens
        _average(self._run_tokens, segment.model, written)
        if segment.stall_s is not None:
            _average(self._stall_s, segment.model, segment.stall_s)
        if segment.end is not None and segment.end.reason == "hand_back":
            _average(self._late_tokens, segment.model, written - len(segment.tokens))

    def thresholds(
        self,
        session: Session,
        models: Sequence[str],
        current: str,
        rules: switch.SwitchRules,
    ) -> Thresholds:
        """Those for the segment that `current` is about to write, the newest of the session."""
        off, back = math.inf, -math.inf
        handoffs, prefix_tokens = session.handoffs, session.current.prompt_tokens
        stronger = switch.stronger(models, current)
        if switch.may_hand_off(models, current, handoffs, rules) and self.is_affordable(session, stronger):
            off = self._hand_off_at(current, stronger, session.ask.worth, prefix_tokens)
        if switch.may_hand_back(models, current, handoffs, rules):
            cheaper = switch.cheaper(models, current)
            if cheaper and self._is_worth_handing_back(session, current, cheaper, prefix_tokens):
                back = math.nan
        return Thresholds(off, back)

    def worst_usd(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        """What a call may cost at most."""
        return price_usd(self._models[model].price, prompt_tokens, completion_tokens)

    def is_affordable(self, session: Session, target: str | None) -> bool:
        """Whether `target` could write all the rest, even if the current model takes the handoff at its last token."""
        budget_usd = session.ask.wishes.budget_usd
        if budget_usd is None or target is None:
            return True
        spent = sum(self.worst_usd(s.model, s.prompt_tokens, s.generated_tokens) for s in session.segments)
        left = session.ask.sampling.max_tokens - session.kept_tokens
        dearest = max((session.current.model, target), key=lambda m: self._models[m].price.completion_usd_per_mtok)
        return (
            spent + self.worst_usd(target, session.current.prompt_tokens + left, 0) + self.worst_usd(dearest, 0, left)
            <= budget_usd
        )

    def _hand_off_at(self, current: str, target: str | None, worth: Worth | None, prefix_tokens: int) -> float:
        change = self._change(current, target, prefix_tokens, None)
        if worth is None or change is None or change.target == change.source:
            return math.nan
        return switch.hand_off_at(change, worth)

    def _is_worth_handing_back(self, session: Session, current: str, cheaper: str, prefix_tokens: int) -> bool:
        known, worth = self._models.get(cheaper), session.ask.worth
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

    def _change(
        self, source: str, target: str | None, prefix_tokens: int, run_tokens: float | None
    ) -> switch.Change | None:
        a, b = self._models.get(source), self._models.get(target or "")
        if target is None or a is None or b is None:
            return None
        run = self._run_tokens.get(target, _RUN_TOKENS) if run_tokens is None else run_tokens
        late = self._late_tokens.get(source, 0.0)
        return switch.Change(a.price, b.price, prefix_tokens, run, self._stall_s.get(target, _STALL_S), late)


def steps(session: Session, model: str) -> tuple[int, int]:
    """In how many steps of this answer the model has gone wrong, and how many it has written without."""
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

    How often it does per token is taken to be gamma-distributed over answers: what all answers tell counts as much as
    `remainder.failures`, what this one has shown as what it is.
    """
    usual = remainder.tokens_per_step / remainder.step_hazard()
    written = failed = 0
    for segment in session.segments:
        if segment.model == model:
            written += len(segment.tokens)
            failed += segment.end is not None and segment.end.reason == "handoff"
    return (remainder.failures * usual + written) / (remainder.failures + failed)


def _average(averages: dict[str, float], key: str, value: float) -> None:
    averages[key] = value + _FORGET * (averages[key] - value) if key in averages else value
