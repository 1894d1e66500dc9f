from ghostrouter.config.routing import Promotion
from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.policy.tiers import Promotions


def test_time_is_the_first_token_and_the_rest_and_the_queue() -> None:
    stats = FleetStats({"m": 2})
    assert stats.wait_s("m", 100) == 0.0
    stats.add_answer("m", 0.5, 11, 1.0, 0.0)
    assert stats.wait_s("m", 100) == 0.5 + 100 * 0.1
    for _ in range(4):
        stats.begin("m")
    assert stats.wait_s("m", 100) == 3 * 10.5
    for _ in range(5):
        stats.end("m")
    assert stats.of("m").running == 0
    assert stats.wait_s("other", 100) == 0.0


def test_failures_count_less_and_less() -> None:
    stats = FleetStats({})
    stats.add_failure("m", 0.0)
    first = stats.of("m").failure_share(0.0)
    assert 0 < first < 0.2
    assert stats.of("m").failure_share(60.0) == first / 2
    stats.add_answer("m", 0.1, 1, 0.0, 0.0)
    assert stats.of("m").failure_share(0.0) < first


def test_a_missed_target_promotes_and_health_demotes() -> None:
    promotions = Promotions(
        Promotion(first_token_s=1.0, confidence=0.5, breaches=2, healthy=2, dwell_s=10.0, max_level=1)
    )
    assert promotions.observe("code", 2.0, None, 0.0) == 0
    assert promotions.observe("code", 0.1, 0.4, 1.0) == 1
    assert promotions.levels == {"code": 1}
    assert promotions.observe("code", 0.1, 0.9, 2.0) == 1
    assert promotions.observe("code", 0.1, 0.9, 3.0) == 1  # not before its dwell time is over
    assert promotions.observe("code", 0.1, 0.9, 12.0) == 0
    assert promotions.levels == {}


def test_without_targets_nothing_is_promoted() -> None:
    promotions = Promotions(Promotion())
    assert [promotions.observe("code", 99.0, 0.0, float(i)) for i in range(9)] == [0] * 9
