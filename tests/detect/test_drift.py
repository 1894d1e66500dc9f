import pytest

from ghostrouter.detect.calibration import AlarmRate
from ghostrouter.detect.drift import DriftWatch

EXPECTED = AlarmRate(per_token=0.02, spread=2.0)  # of 1000 tokens 20 alarm, give or take 4 * sqrt(40) + 0.5


@pytest.mark.parametrize(("alarms", "outside"), [(20, False), (0, False), (45, False), (46, True), (200, True)])
def test_a_rate_outside_its_band_is_drift(alarms: int, outside: bool) -> None:
    found = DriftWatch(EXPECTED, window_tokens=1000).count(1000, alarms)
    assert found is not None
    assert found.outside is outside


def test_too_few_alarms_are_drift_too() -> None:
    found = DriftWatch(EXPECTED, window_tokens=10_000).count(10_000, 50)
    assert found is not None
    assert found.outside


def test_windows_begin_anew() -> None:
    watch = DriftWatch(EXPECTED, window_tokens=100)
    assert watch.count(60, 5) is None
    first = watch.count(60, 5)
    assert first is not None
    assert first.per_token == 10 / 120
    assert watch.count(99, 0) is None


def test_a_model_that_never_alarmed_may_do_so_by_chance() -> None:
    found = DriftWatch(AlarmRate(per_token=0.0, spread=1.0), window_tokens=100).count(100, 1)
    assert found is not None
    assert not found.outside
