"""The thresholds of a segment."""

import math
from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.conversation import Message
from ghostrouter.money import Price, Worth
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Known, Switching, steps
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.terms import Preferences
from ghostrouter.types import Limits, Plan, Sampling, SegmentEnd, SegmentKey, Verdict
from tests.make import frames, tokens

MODELS = ("small", "large")
RULES = SwitchRules(max_handoffs=6, hand_back=True)
SMALL = Known(Price(0.1, 1.0))
LARGE = Known(Price(1.0, 10.0))


class Often:
    """Goes wrong in a share of its steps of eight tokens, whatever it has done."""

    failures = 0.3

    def __init__(self, share: float, tokens_per_step: float = 8.0) -> None:
        self._share = share
        self.tokens_per_step = tokens_per_step

    def hazard(self, tokens: float, failed_steps: float = 0, clean_steps: float = 0) -> float:
        return 1 - math.pow(1 - self._share, tokens / self.tokens_per_step)

    def step_hazard(self, failed_steps: float = 0, clean_steps: float = 0) -> float:
        return self._share


def session(worth: Worth | None = None, model: str = "small", **wanted: Any) -> Session:
    ask = Ask((Message("user", "?"),), Sampling(max_tokens=100), True, preferences=Preferences(**wanted), worth=worth)
    s = Session("s", ask, Plan(MODELS, ""), 0.0)
    s.open(model, tuple(range(50)), 0.0)
    return s


def test_calibrations_decide_if_there_is_nothing_to_weigh() -> None:
    for s, known in ((session(), {"small": SMALL, "large": LARGE}), (session(Worth(0.01)), {})):
        switching = Switching(known)
        # There is no cheaper model than the first, and no stronger one than the last.
        assert switching.limits(s, MODELS, "small", RULES) == Limits(may_hand_off=True)
        assert switching.limits(s, MODELS, "large", RULES) == Limits(may_hand_back=True)


def hand_off_at(switching: Switching, worth: Worth) -> float:
    found = switching.limits(session(worth), MODELS, "small", RULES)
    assert found.may_hand_off
    assert found.hand_off_at is not None
    return found.hand_off_at


def test_the_dearer_quality_the_lower_the_risk_that_is_taken() -> None:
    switching = Switching({"small": SMALL, "large": LARGE})
    low, high = (hand_off_at(switching, Worth(usd)) for usd in (0.001, 0.01))
    assert low == pytest.approx(10 * high)
    assert 0 < high < low < 1


def test_no_handoff_if_quality_is_worth_nothing() -> None:
    switching = Switching({"small": SMALL, "large": LARGE})
    assert switching.limits(session(Worth(0.0)), MODELS, "small", RULES) == Limits()


def test_long_steps_raise_the_threshold() -> None:
    long = replace(SMALL, remainder=Often(0.5, tokens_per_step=64.0))
    short = replace(SMALL, remainder=Often(0.5, tokens_per_step=8.0))
    at = [hand_off_at(Switching({"small": s, "large": LARGE}), Worth(0.01)) for s in (short, long)]
    assert at[1] > 2 * at[0]


def test_a_wait_counts_where_seconds_have_a_worth() -> None:
    models = {"small": SMALL, "large": LARGE}
    quick, slow = Switching(models, stall_s=0.0), Switching(models, stall_s=1.0)
    assert hand_off_at(quick, Worth(0.01)) == hand_off_at(slow, Worth(0.01))
    dear = Worth(0.01, second_usd=0.001)
    assert hand_off_at(slow, dear) == pytest.approx(hand_off_at(quick, dear) + 0.1)


@pytest.mark.parametrize(("share", "recall", "back"), [(0.01, 0.9, True), (0.9, 0.9, False), (0.9, 1.0, True)])
def test_hand_back_needs_a_cheap_model_that_is_likely_to_do_well(share: float, recall: float, back: bool) -> None:
    switching = Switching({"small": replace(SMALL, remainder=Often(share), recall=recall), "large": LARGE})
    limits = switching.limits(session(Worth(0.003), "large"), MODELS, "large", RULES)
    assert limits.may_hand_back is back


def handed_off(index: int, kept: int) -> Segment:
    """A segment of the small model that went wrong after so many tokens."""
    key = SegmentKey("s", index)
    end = SegmentEnd("handoff", verdict=Verdict(key, kept, "handoff", 0.9, kept))
    return Segment(key, "small", "handoff", 0.0, 0.0, end=end, tokens=list(tokens("x" * kept)))


@pytest.mark.parametrize(("written", "back"), [((30,), True), ((3,), False), ((30, 40), True), ((12, 3, 3), False)])
def test_no_hand_back_after_short_runs_of_the_cheap_model(written: tuple[int, ...], back: bool) -> None:
    switching = Switching({"small": replace(SMALL, remainder=Often(0.5), recall=1.0), "large": LARGE})
    s = session(Worth(0.01))
    s.segments = [handed_off(i, count) for i, count in enumerate(written)]
    s.open("large", tuple(range(150)), 0.0)
    limits = switching.limits(s, MODELS, "large", replace(RULES, max_handoffs=20))
    assert limits.may_hand_back is back


def test_no_handoff_beyond_the_budget_of_the_request() -> None:
    switching = Switching({"small": SMALL, "large": LARGE})
    worst_usd = 50 * 0.1e-6 + 150 * 1e-6 + 100 * 10e-6
    for budget_usd, allowed in ((worst_usd * 1.001, True), (worst_usd * 0.999, False)):
        s = session(Worth(0.01), budget_usd=budget_usd)
        assert switching.limits(s, MODELS, "small", RULES).may_hand_off is allowed


def test_the_budget_of_a_request_counts_reasoning_and_cache_writes() -> None:
    """A price that only budgets of operators counted: a handoff could cost more than `ghost.budget_usd`."""
    dear = replace(LARGE, price=replace(LARGE.price, reasoning_usd_per_mtok=100.0))
    s = session(Worth(0.01), budget_usd=0.002)
    assert Switching({"small": SMALL, "large": LARGE}).is_affordable(s, "large")
    assert not Switching({"small": SMALL, "large": dear}).is_affordable(s, "large")


def test_steps_that_went_wrong_and_steps_that_did_not() -> None:
    s = session()
    written = tuple(t._replace(step_start=i % 2 == 1) for i, t in enumerate(tokens("abcdef")))
    wrong = SegmentEnd("handoff", verdict=Verdict(s.current.key, 6, "handoff", 0.9, 6))
    for frame in frames(s.current.key, "", wrong):
        s.accept(replace(frame, tokens=written), 0.0)
    assert steps(s, "small") == (1, 3)
    assert steps(s, "large") == (0, 0)


def test_a_whole_answer_is_weighed_against_what_another_one_costs() -> None:
    """Another answer of 160 tokens, not the one step that an onset is weighed with."""
    judged = replace(SMALL, answer_tokens=160.0)
    found = Switching({"small": judged, "large": LARGE}).limits(session(Worth(0.01)), MODELS, "small", RULES)
    assert found.hand_off_at is not None
    assert found.answer_hand_off_at is not None
    prefill_usd, token_usd = 50 * 1.0 / 1e6, (10.0 - 1.0) / 1e6
    assert found.answer_hand_off_at == pytest.approx((prefill_usd + 160 * token_usd) / 0.01)
    assert found.answer_hand_off_at > found.hand_off_at


@pytest.mark.parametrize("worth", [None, Worth(0.01)])
def test_nothing_to_weigh_for_a_model_whose_answers_are_not_judged(worth: Worth | None) -> None:
    found = Switching({"small": SMALL, "large": LARGE}).limits(session(worth), MODELS, "small", RULES)
    assert found.answer_hand_off_at is None


@pytest.mark.parametrize("worth", [None, Worth(0.01)])
def test_no_hand_back_to_a_model_that_is_judged_by_whole_answers_only(worth: Worth | None) -> None:
    blind = {"small": replace(SMALL, answer_tokens=160.0), "large": LARGE}
    assert not Switching(blind).limits(session(worth, "large"), MODELS, "large", RULES).may_hand_back
    both = {**blind, "small": replace(blind["small"], remainder=Often(0.001), recall=1.0)}
    assert Switching(both).limits(session(worth, "large"), MODELS, "large", RULES).may_hand_back
