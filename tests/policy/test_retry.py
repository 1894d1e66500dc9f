from random import Random

import pytest

from ghostrouter.errors import (
    ContextExceeded,
    EngineGone,
    ProviderBusy,
    ProviderRefused,
    ProviderRejected,
    SegmentFailed,
)
from ghostrouter.policy.retry import Failed, Recovery, RetryRules, next_untried, recovery

PLAN = ("small", "mid", "large")
RULES = RetryRules(attempts=3, base_s=1.0, most_s=8.0)


@pytest.mark.parametrize(
    ("failure", "failures", "least_s", "most_s"),
    [
        (SegmentFailed("x"), 1, 0.0, 1.0),
        (SegmentFailed("x"), 3, 0.0, 4.0),
        (SegmentFailed("x"), 30, 0.0, 8.0),
        (ProviderBusy("x", 5.0), 1, 5.0, 6.0),
        (ProviderBusy("x"), 1, 0.0, 1.0),
    ],
)
def test_waits_are_random_up_to_twice_the_last(
    failure: SegmentFailed, failures: int, least_s: float, most_s: float
) -> None:
    waits = [RULES.wait_s(failure, failures, Random(seed)) for seed in range(200)]
    assert all(w is not None and least_s <= w <= most_s for w in waits)
    assert len(set(waits)) > 100


@pytest.mark.parametrize("failure", [ProviderBusy("x", 8.1), ProviderRefused("x"), ProviderRejected("x")])
def test_some_are_not_asked_again(failure: SegmentFailed) -> None:
    assert RULES.wait_s(failure, 1, Random(1)) is None


FAILED = SegmentFailed("x")


@pytest.mark.parametrize(
    ("failed", "attempts", "model"),
    [
        (["small"], 1, "mid"),
        (["small"], 2, "small"),
        (["small", "small"], 2, "mid"),
        (["small", "small"], 3, "small"),
        (["large"], 1, "mid"),
        (["mid", "large"], 1, "small"),
        (["mid", "small", "large"], 1, None),
    ],
)
def test_a_model_is_tried_as_often_as_its_rules_say(failed: list[str], attempts: int, model: str | None) -> None:
    rules = dict.fromkeys(PLAN, RetryRules(attempts))
    found = recovery(PLAN, Failed(failed, FAILED, None), rules, 9, Random(1))
    assert found == (Recovery(model) if model else None)


def test_a_model_without_rules_is_tried_once() -> None:
    assert recovery(PLAN, Failed(["small"], FAILED, None), {}, 9, Random(1)) == Recovery("mid")


def test_nobody_goes_on_after_too_many_failures() -> None:
    assert recovery(PLAN, Failed(["small"], FAILED, None), {}, 1, Random(1))
    assert recovery(PLAN, Failed(["small", "mid"], FAILED, None), {}, 1, Random(1)) is None


def test_a_busy_provider_is_waited_for_where_there_is_no_other() -> None:
    busy, rules = ProviderBusy("x", 5.0), {"small": RetryRules(2, most_s=8.0)}
    assert recovery(PLAN, Failed(["small"], busy, None), rules, 9, Random(1)) == Recovery("mid")
    assert recovery(("small",), Failed(["small"], busy, None), rules, 9, Random(1)) == Recovery("small", 5.0)
    assert recovery(("small",), Failed(["small"], busy, 5.0), rules, 9, Random(1)) is None


@pytest.mark.parametrize(
    ("current", "failed", "model"),
    [
        ("small", [], "mid"),
        ("mid", ["large"], "small"),
        ("large", ["mid", "small"], None),
        ("other", ["mid"], "large"),
        ("other", ["mid", "large"], "small"),
    ],
)
def test_the_next_model_is_a_stronger_one_if_possible(current: str, failed: list[str], model: str | None) -> None:
    assert next_untried(PLAN, current, [*failed, current]) == model


@pytest.mark.parametrize("failures", [1, 4, 5, 20])
def test_an_answer_waits_for_engines_that_come_back(failures: int) -> None:
    failed = Failed(["small"] * failures, EngineGone("x"), 600.0)
    found = recovery(("small",), failed, {}, 4, Random(1))
    assert found is not None and found.model == "small"
    assert 0 < found.wait_s <= 10.0


@pytest.mark.parametrize(
    ("failures", "failure", "left_s"),
    [(5, FAILED, 600.0), (5, EngineGone("x"), 0.5), (51, EngineGone("x"), None)],
)
def test_but_not_for_ever_nor_for_other_failures(failures: int, failure: SegmentFailed, left_s: float | None) -> None:
    assert recovery(("small",), Failed(["small"] * failures, failure, left_s), {}, 4, Random(1)) is None


def test_the_waits_grow() -> None:
    """A prompt that kills each engine it meets."""
    waits = [recovery(("s",), Failed(["s"] * n, EngineGone("x"), None), {}, 0, Random(1)) for n in range(1, 12)]
    assert [w.wait_s for w in waits if w] == sorted(w.wait_s for w in waits if w)
    assert sum(w.wait_s for w in waits if w) > 30


@pytest.mark.parametrize(
    ("failed", "windows", "model"),
    [
        (["small"], (8, 8, 16), "large"),
        (["small"], (8, 16, 32), "mid"),
        (["small"], (8, 8, 8), None),
        (["large"], (8, 8, 16), None),
        (["small", "large"], (8, 8, 16), None),
        (["small"], (8, None, 16), "mid"),
    ],
)
def test_a_prompt_too_long_for_one_model_goes_to_a_wider_one(
    failed: list[str], windows: tuple[int | None, ...], model: str | None
) -> None:
    rules = {m: RetryRules(3, context_tokens=w) for m, w in zip(PLAN, windows, strict=True)}
    found = recovery(PLAN, Failed(failed, ContextExceeded("x"), None), rules, 9, Random(1))
    assert (found and found.model) == model
