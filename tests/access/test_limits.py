"""Rates and running calls, by a clock in hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.access.limits import Admission, KeyLimits, TokenBucket, duration


def test_a_minute_s_requests_at_once_and_then_evenly() -> None:
    rate = TokenBucket(6, 0.0)
    assert [rate.take(0.0).remaining for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    refused = rate.take(0.0)
    assert (refused.refused, refused.retry_after_s, refused.reset_s) == ("rate", 10.0, 60.0)
    assert rate.take(9.9).refused == "rate"
    assert rate.take(10.0).refused == ""


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=200))
def test_never_more_than_the_rate(per_minute: int, gaps: list[float]) -> None:
    rate, now_s, passed = TokenBucket(per_minute, 0.0), 0.0, 0
    for gap in gaps:
        now_s += gap
        passed += not rate.take(now_s).refused
    assert passed <= per_minute + now_s * per_minute / 60 + 1e-6


def test_running_calls_are_counted_until_they_leave_or_are_forgotten() -> None:
    gate = KeyLimits(lease_s=100.0)
    assert not gate.enter("k", "a", None, 2, 0.0).refused
    assert not gate.enter("k", "b", None, 2, 0.0).refused
    assert gate.enter("k", "c", None, 2, 0.0).refused == "concurrency"
    assert not gate.enter("other", "c", None, 2, 0.0).refused
    gate.leave("k", "a")
    assert not gate.enter("k", "c", None, 2, 1.0).refused
    assert not gate.enter("k", "d", None, 2, 101.0).refused
    assert gate.running("k") == 1


@pytest.mark.parametrize(("seconds", "told"), [(0, "0ms"), (0.25, "250ms"), (6, "6s"), (59.2, "1m0s"), (90, "1m30s")])
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_headers() -> None:
    assert Admission("").headers() == {}
    assert Admission("", 60, 59, 1.0).headers() == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
    }
