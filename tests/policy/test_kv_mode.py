import pytest

from ghostrouter.policy.kv_mode import KvModes, Way


def learned(*measured: tuple[int, float], way: Way = "compute", modes: KvModes | None = None) -> KvModes:
    modes = modes or KvModes(0.05, ["m"])
    for tokens, seconds in measured:
        modes.observe("m", way, tokens, seconds)
    return modes


def test_the_line_is_found() -> None:
    modes = learned(*[(n, 0.01 + 2e-4 * n) for n in (50, 100, 400, 1000)])
    assert modes.compute_s("m", 500) == pytest.approx(0.1)


def test_nothing_is_known_of_others_or_at_first() -> None:
    assert learned((5, 1.0)).compute_s("m", 9) is None
    assert learned((5, 1.0), (9, 2.0)).compute_s("n", 9) is None


def test_equal_lengths_tell_nothing_of_length() -> None:
    assert learned(*[(100, 0.1)] * 5).compute_s("m", 1000) == 0.0


def test_new_times_outweigh_old_ones() -> None:
    slow = [(n, 1e-3 * n) for n in (10, 100)] * 50
    fast = [(n, 1e-4 * n) for n in (10, 100)] * 150
    assert learned(*slow, *fast).compute_s("m", 1000) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(("tokens", "worth"), [(100, False), (300, True)])
def test_long_prefixes_are_worth_warming(tokens: int, worth: bool) -> None:
    assert learned((10, 0.002), (100, 0.02)).is_worth_warming("m", tokens) is worth


def test_the_faster_way_is_taken() -> None:
    modes = learned((10, 0.002), (1000, 0.2))
    learned((10, 0.04), (1000, 0.06), way="transfer", modes=modes)
    assert [modes.is_worth_transferring("m", n) for n in (100, 1000)] == [False, True]


def test_what_is_not_known_is_tried_on_long_prefixes_of_models_that_can() -> None:
    modes = KvModes(0.05, ["m"])
    assert [modes.is_worth_transferring(model, 1000) for model in ("m", "other")] == [True, False]
    assert not modes.is_worth_transferring("m", 100)
