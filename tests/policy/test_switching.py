"""The thresholds of a segment."""

import math
from dataclasses import replace
from typing import Any

import pytest

from ghostrouter.conversation import Message
from ghostrouter.money import Price, Worth
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.switching import Known, Switching, Thresholds, steps
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session
from ghostrouter.terms import Wishes
from ghostrouter.types import Plan, Sampling, SegmentEnd, SegmentKey, Verdict
from tests.make import frames, tokens

MODELS = ("small", "large")
RULES = SwitchRules(max_handoffs=6, hand_back=True)
SMALL = Known(Price(0.1, 1.0))
LARGE = Known(Price(1.0, 10.0))


class Often:
    """Goes wrong in a share of its steps of eight tokens, whatever it has done."""

    tokens_per_step = 8.0
    failures = 0.3

    def __init__(self, share: float) -> None:
        self._share = share

    def hazard(self, tokens: float, failed_steps: float = 0, clean_steps: float = 0) -> float:
        return 1 - math.pow(1 - self._share, tokens / self.tokens_per_step)

    def step_hazard(self, failed_steps: float = 0, clean_steps: float = 0) -> float:
        return self._share


def session(worth: Worth | None = None, model: str = "small", **wanted: Any) -> Session:
    ask = Ask((Message("user", "?"),), Sampling(max_tokens=100), True, wishes=Wishes(**wanted), worth=worth)
    s = Session("s", ask, Plan(MODELS, ""), 0.0)
    s.open(model, tuple(range(50)), 0.0)
    return s


def may_hand_back(limits: Thresholds) -> bool:
    return limits.hand_back_below != -math.inf


def test_where_nothing_is_to_be_weighed_the_calibrations_decide() -> None:
    for s, known in ((session(), {"small": SMALL, "large": LARGE}), (session(Worth(0.01)), {})):
        off, back = Switching(known).thresholds(s, MODELS, "small", RULES)
        assert math.isnan(off)
        assert back == -math.inf  # there is no cheaper model than the first
        assert math.isnan(Switching(known).thresholds(s, MODELS, "large", RULES).hand_back_below)


def test_the_dearer_quality_the_lower_the_risk_that_is_taken() -> None:
    switching = Switching({"small": SMALL, "large": LARGE})
    low, high = (switching.thresholds(session(Worth(usd)), MODELS, "small", RULES).hand_off_at for usd in (0.001, 0.01))
    assert low == pytest.approx(10 * high)
    assert 0 < high < low < 1


def test_long_runs_of_the_dear_model_raise_the_threshold() -> None:
    switching = Switching({"small": SMALL, "large": LARGE})
    before = switching.thresholds(session(Worth(0.01)), MODELS, "small", RULES).hand_off_at
    for _ in range(100):
        switching.observe(handed_back(written=60, kept=60))
    assert switching.thresholds(session(Worth(0.01)), MODELS, "small", RULES).hand_off_at > 2 * before


@pytest.mark.parametrize(("share", "recall", "back"), [(0.01, 0.9, True), (0.9, 0.9, False), (0.9, 1.0, True)])
def test_the_answer_goes_back_where_the_cheap_model_is_likely_to_do_well(
    share: float, recall: float, back: bool
) -> None:
    switching = Switching({"small": replace(SMALL, remainder=Often(share), recall=recall), "large": LARGE})
    limits = switching.thresholds(session(Worth(0.003), "large"), MODELS, "large", RULES)
    assert may_hand_back(limits) is back


def handed_back(written: int, kept: int) -> Segment:
    """A segment of the large model that cost `written` tokens, of which `kept` were of use."""
    end = SegmentEnd("hand_back", verdict=Verdict(SegmentKey("s", 1), kept, "hand_back", 0.0, kept))
    segment = Segment(SegmentKey("s", 1), "large", "handoff", 0.0, 0.0, end=end, first_token_at_s=0.1)
    segment.generated_tokens, segment.tokens = written, list(tokens("x" * kept))
    return segment


def handed_off(index: int, kept: int) -> Segment:
    """A segment of the small model that went wrong after so many tokens."""
    key = SegmentKey("s", index)
    end = SegmentEnd("handoff", verdict=Verdict(key, kept, "handoff", 0.9, kept))
    return Segment(key, "small", "handoff", 0.0, 0.0, end=end, tokens=list(tokens("x" * kept)))


@pytest.mark.parametrize(("written", "back"), [((30,), True), ((3,), False), ((30, 40), True), ((12, 3, 3), False)])
def test_where_the_cheap_model_does_not_get_far_in_this_answer_it_is_left_alone(
    written: tuple[int, ...], back: bool
) -> None:
    switching = Switching({"small": replace(SMALL, remainder=Often(0.5), recall=1.0), "large": LARGE})
    s = session(Worth(0.01))
    s.segments = [handed_off(i, count) for i, count in enumerate(written)]
    s.open("large", tuple(range(150)), 0.0)
    limits = switching.thresholds(s, MODELS, "large", replace(RULES, max_handoffs=20))
    assert may_hand_back(limits) is back


def test_what_comes_too_late_to_be_wanted_counts_against_handing_back() -> None:
    switching = Switching({"small": replace(SMALL, remainder=Often(0.5), recall=1.0), "large": LARGE})
    s = session(Worth(0.01), "large")
    assert may_hand_back(switching.thresholds(s, MODELS, "large", RULES))
    for _ in range(20):
        switching.observe(handed_back(written=60, kept=20))
    assert not may_hand_back(switching.thresholds(s, MODELS, "large", RULES))


def test_no_handoff_beyond_the_budget_of_the_request() -> None:
    switching = Switching({"small": SMALL, "large": LARGE})
    worst_usd = 50 * 0.1e-6 + 150 * 1e-6 + 100 * 10e-6
    for budget_usd, allowed in ((worst_usd * 1.001, True), (worst_usd * 0.999, False)):
        s = session(Worth(0.01), budget_usd=budget_usd)
        hand_off_at = switching.thresholds(s, MODELS, "small", RULES).hand_off_at
        assert (hand_off_at != math.inf) is allowed


def test_steps_that_went_wrong_and_steps_that_did_not() -> None:
    s = session()
    written = tuple(t._replace(step_start=i % 2 == 1) for i, t in enumerate(tokens("abcdef")))
    wrong = SegmentEnd("handoff", verdict=Verdict(s.current.key, 6, "handoff", 0.9, 6))
    for frame in frames(s.current.key, "", wrong):
        s.accept(replace(frame, tokens=written), 0.0)
    assert steps(s, "small") == (1, 3)
    assert steps(s, "large") == (0, 0)
