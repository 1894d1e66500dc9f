import math

from ghostrouter.detect.screen import LocalScreen, ScreenTable
from tests.make import token

TABLE = ScreenTable(entropy_nats=1.0, calm_tokens=2)


def risky(screen: LocalScreen, *specs: tuple[float, bool]) -> list[bool]:
    return [screen.is_risky(token(entropy_nats=e, step_start=s), i) for i, (e, s) in enumerate(specs)]


def test_a_token_above_the_threshold_is_risky() -> None:
    assert risky(LocalScreen(TABLE), (0.9, True), (1.0, False), (0.1, True)) == [
        False,
        True,
        False,
    ]


def test_a_calm_step_boundary_may_be_a_place_to_hand_back() -> None:
    specs = ((0.1, True), (0.1, False), (0.1, True), (2.0, False), (0.1, False), (0.1, True))
    assert risky(LocalScreen(TABLE, hand_back_below=0.1), *specs) == [False, False, True, True, False, False]


def test_without_a_table_everything_leaves() -> None:
    assert risky(LocalScreen(None, hand_back_below=0.1), (9.0, True), (9.0, True)) == [False, False]


def test_nothing_waits_for_a_handoff_that_cannot_come() -> None:
    assert risky(LocalScreen(TABLE, hand_off_at=math.inf), (2.0, True), (2.0, False)) == [False, False]
