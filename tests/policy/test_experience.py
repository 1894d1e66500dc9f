"""What a session that is over tells of its models and of its task."""

import math

import pytest

from ghostrouter.config_router import Promotion as Targets
from ghostrouter.policy.experience import confidence, learn
from ghostrouter.policy.observed import Observed
from ghostrouter.policy.tiers import Promotions
from ghostrouter.replay.ask import Ask
from ghostrouter.replay.segment import OpenReason, Segment
from ghostrouter.replay.session import Session
from ghostrouter.types import Classification, Plan, Sampling, SegmentKey, Token

PLAN = Plan(("small", "large"), "test", Classification("code", "rules", 1.0, ""))


def token(probability: float, rank: int = 1) -> Token:
    return Token(1, "a", math.log(probability), rank, 1.0, 0.1, 0.1, 0.1, 0.01, 0, False)


def segment(number: int, model: str, reason: OpenReason, first_token_s: float | None = 0.5) -> Segment:
    """Ten tokens, the first after `first_token_s`, the others each 0.1 s later; None: it never wrote one."""
    made = Segment(SegmentKey("s", number), model, reason, opened_at_s=10.0, stalled_since_s=10.0)
    if first_token_s is not None:
        made.first_token_at_s, made.last_token_at_s = 10.0 + first_token_s, 10.9 + first_token_s
        made.generated_tokens = 10
    return made


def session(*segments: Segment, plan: Plan = PLAN) -> Session:
    made = Session("s", Ask((), Sampling(100), streaming=True), plan, 0.0)
    made.segments = list(segments)
    return made


def told(*segments: Segment, failed: bool = False, plan: Plan = PLAN) -> tuple[Observed, int]:
    observed, promotions = Observed({}), Promotions(Targets(first_token_s=1.0, breaches=1))
    return observed, learn(session(*segments, plan=plan), failed, observed, promotions, 20.0)


def test_every_model_that_wrote_is_observed() -> None:
    observed, _ = told(segment(0, "small", "plan"), segment(1, "large", "handoff", 0.7))
    for model, first_token_s in (("small", 0.5), ("large", 0.7)):
        assert observed.seen(model).first_token_s == pytest.approx(first_token_s)
        assert observed.seen(model).token_s == pytest.approx(0.1)
        assert observed.failing(model, 20.0) == 0.0


def test_who_was_replaced_for_a_failure_has_failed() -> None:
    observed, _ = told(segment(0, "small", "plan"), segment(1, "large", "failure"))
    assert observed.failing("small", 20.0) == pytest.approx(0.1)
    assert observed.failing("large", 20.0) == 0.0
    assert observed.seen("small").first_token_s is None


def test_where_the_session_failed_its_last_model_did() -> None:
    observed, _ = told(segment(0, "small", "plan"), segment(1, "large", "handoff", None), failed=True)
    assert observed.failing("small", 20.0) == 0.0
    assert observed.failing("large", 20.0) == pytest.approx(0.1)


def test_a_late_first_token_promotes_the_task() -> None:
    assert told(segment(0, "small", "plan", 0.5))[1] == 0
    assert told(segment(0, "small", "plan", 1.5))[1] == 1


def test_what_has_no_task_or_was_never_written_promotes_nothing() -> None:
    assert told(segment(0, "small", "plan", 1.5), plan=Plan(("small",), "asked for"))[1] == 0
    assert told()[1] == 0


def test_confidence_is_the_geometric_mean_of_what_is_told() -> None:
    written = segment(0, "small", "plan")
    assert confidence(written) is None
    written.tokens = [token(0.9), token(0.4), token(0.001, rank=0)]
    assert confidence(written) == pytest.approx(math.sqrt(0.9 * 0.4))
