import pytest

from ghostrouter.policy.kv_times import KvTimes


def learned(*measured: tuple[int, float]) -> KvTimes:
    times = KvTimes()
    for tokens, seconds in measured:
        times.observe("m", tokens, seconds)
    return times


def test_the_line_is_found() -> None:
    times = learned(*[(n, 0.01 + 2e-4 * n) for n in (50, 100, 400, 1000)])
    assert times.prefill_s("m", 500) == pytest.approx(0.1)


def test_nothing_is_known_of_others_or_at_first() -> None:
    assert learned((5, 1.0)).prefill_s("m", 9) is None
    assert learned((5, 1.0), (9, 2.0)).prefill_s("n", 9) is None


def test_equal_lengths_tell_nothing_of_length() -> None:
    assert learned(*[(100, 0.1)] * 5).prefill_s("m", 1000) == 0.0


def test_new_times_outweigh_old_ones() -> None:
    slow = [(n, 1e-3 * n) for n in (10, 100)] * 50
    fast = [(n, 1e-4 * n) for n in (10, 100)] * 150
    assert learned(*slow, *fast).prefill_s("m", 1000) == pytest.approx(0.1, rel=0.1)
