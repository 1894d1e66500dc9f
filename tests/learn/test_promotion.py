"""Whether the bandit may get more traffic."""

from typing import Any

import numpy as np

from ghostrouter.events.records import Event
from ghostrouter.learn.promotion import evidence

RIGHT = {"small": 0.4, "large": 0.8}


def served(count: int, explored: float, wanted: str, seed: int = 0) -> list[Event]:
    """Sessions that the rules began with `small`, but for an explored share. The bandit wanted another model."""
    rng, events = np.random.default_rng(seed), []
    for number in range(count):
        first = "large" if rng.random() < explored else "small"
        body: dict[str, Any] = {
            "id": f"s{number}",
            "plan": [first],
            "propensity": explored if first == "large" else 1 - explored,
            "bandit": {"propensities": [[m, float(m == wanted)] for m in RIGHT], "features": [1.0, rng.random()]},
        }
        rating = 1.0 if rng.random() < RIGHT[first] else -1.0
        events.append(Event.trace("me", float(number), body))
        events.append(Event.feedback(f"s{number}", "me", float(number), {"rating": rating}))
    return events


def test_a_better_bandit_is_promoted_and_a_worse_one_is_not() -> None:
    better = evidence(served(1_000, 0.2, "large"))
    assert better and better.refusal(0.01) == ""
    assert better.gain.low < 0.32 < better.gain.high  # 0.8 instead of 0.8 x 0.4 + 0.2 x 0.8
    found = evidence(served(1_000, 0.8, "small"))
    assert found and "may be worse" in found.refusal(0.01)


def test_what_was_never_tried_is_no_evidence() -> None:
    found = evidence(served(500, 0.0, "large"))
    assert found and "tried" in found.refusal(0.01)


def test_few_ratings_are_not_enough() -> None:
    found = evidence(served(50, 0.2, "large"))
    assert found and "50 sessions are rated" in found.refusal(1.0)
    assert evidence([]) is None
