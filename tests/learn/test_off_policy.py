"""Off-policy estimates against policies whose value is known."""

import numpy as np
import pytest

from ghostrouter.errors import ConfigError
from ghostrouter.learn import off_policy
from ghostrouter.learn.off_policy import Logged

TRUE = np.array([0.3, 0.6, 0.8])
LOGGING = np.array([0.6, 0.3, 0.1])


def log(count: int, seed: int) -> tuple[Logged, np.ndarray]:
    """Decisions of `LOGGING`; the reward depends on the model and on one feature."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 1))
    action = rng.choice(3, count, p=LOGGING)
    reward = (rng.random(count) < np.clip(TRUE[action] + 0.1 * x[:, 0], 0, 1)).astype(float)
    return Logged(action, LOGGING[action], reward), x


def always(model: int, count: int) -> np.ndarray:
    target = np.zeros((count, 3))
    target[:, model] = 1.0
    return target


@pytest.mark.parametrize("model", [0, 1, 2])
def test_all_estimates_are_close_to_the_truth(model: int) -> None:
    logged, x = log(20_000, model)
    target = always(model, 20_000)
    found = off_policy.estimates(logged, target, off_policy.cross_fitted(logged, x, 3))
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(TRUE[model], abs=0.05), name
        assert estimate.low < estimate.value < estimate.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = {"ips": 0, "snips": 0, "dr": 0}
    for seed in range(300):
        logged, x = log(300, seed)
        target = np.tile([0.1, 0.1, 0.8], (300, 1))
        truth = float(target[0] @ TRUE)
        for name, e in off_policy.estimates(logged, target, off_policy.cross_fitted(logged, x, 3)).items():
            held[name] += e.low <= truth <= e.high
    assert all(285 * 0.96 <= count < 300 for count in held.values()), held


def test_a_wrong_propensity_shows_that_they_count() -> None:
    logged, _ = log(5_000, 1)
    lied = Logged(logged.action, np.full(5_000, 1 / 3), logged.reward)
    assert abs(off_policy.ips(lied, always(2, 5_000)).value - TRUE[2]) > 0.3


def test_the_gain_over_the_log_is_more_certain_than_both() -> None:
    logged, x = log(4_000, 3)
    model = off_policy.cross_fitted(logged, x, 3)
    found = off_policy.gain_over_log(logged, always(1, 4_000), model)
    assert found.low < TRUE[1] - LOGGING @ TRUE < found.high
    assert found.low > 0.1
    same = off_policy.gain_over_log(logged, np.tile(LOGGING, (4_000, 1)), model)
    assert same.low < 0 < same.high
    assert same.high - same.low < 0.03


def test_logs_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="propensity"):
        Logged(np.array([0, 1]), np.array([0.0, 0.5]), np.array([1.0, 1.0]))
    with pytest.raises(ConfigError, match="two decisions"):
        Logged(np.array([0]), np.array([1.0]), np.array([1.0]))
    with pytest.raises(ConfigError, match="would have made"):
        off_policy.snips(Logged(np.array([0, 0]), np.ones(2), np.ones(2)), always(1, 2))
