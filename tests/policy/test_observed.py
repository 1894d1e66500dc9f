from ghostrouter.config.routing import Promotion
from ghostrouter.policy.observed import Observed
from ghostrouter.policy.tiers import Promotions


def test_time_is_the_first_token_and_the_rest_and_the_queue() -> None:
    seen = Observed({"m": 2})
    assert seen.wait_s("m", 100) == 0.0
    seen.answered("m", 0.5, 11, 1.0, 0.0)
    assert seen.wait_s("m", 100) == 0.5 + 100 * 0.1
    for _ in range(4):
        seen.begin("m")
    assert seen.wait_s("m", 100) == 3 * 10.5
    for _ in range(5):
        seen.end("m")
    assert seen.seen("m").running == 0
    assert seen.wait_s("other", 100) == 0.0


def test_failures_count_less_and_less() -> None:
    seen = Observed({})
    seen.failed("m", 0.0)
    first = seen.failing("m", 0.0)
    assert 0 < first < 0.2
    assert seen.failing("m", 60.0) == first / 2
    seen.answered("m", 0.1, 1, 0.0, 0.0)
    assert seen.failing("m", 0.0) < first


def test_a_missed_target_promotes_and_health_demotes() -> None:
    promotions = Promotions(Promotion(first_token_s=1.0, confidence=0.5, breaches=2, healthy=2, hold_s=10.0, most=1))
    assert promotions.observe("code", 2.0, None, 0.0) == 0
    assert promotions.observe("code", 0.1, 0.4, 1.0) == 1
    assert promotions.levels == {"code": 1}
    assert promotions.observe("code", 0.1, 0.9, 2.0) == 1
    assert promotions.observe("code", 0.1, 0.9, 3.0) == 1  # it is held for a while
    assert promotions.observe("code", 0.1, 0.9, 12.0) == 0
    assert promotions.levels == {}


def test_without_targets_nothing_is_promoted() -> None:
    promotions = Promotions(Promotion())
    assert [promotions.observe("code", 99.0, 0.0, float(i)) for i in range(9)] == [0] * 9
