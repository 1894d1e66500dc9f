"""Load makes a model dearer."""

import pytest

from ghostrouter.config.routing import Promotion
from ghostrouter.money import Worth
from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.policy.observations import ObservationBoard, SharedObservations, observations
from ghostrouter.policy.option import Candidate
from ghostrouter.policy.plan import PlanRequest, Table, decide
from ghostrouter.policy.pressure import Load, pressure
from ghostrouter.policy.tiers import Promotions
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Session
from ghostrouter.types import Frame, Plan, Sampling, SegmentEnd
from tests.make import tokens


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (Load(), 0.0),
        (Load(kv_use=0.8, memory_use=0.95), 0.0),
        (Load(kv_use=0.9), 0.5),
        (Load(kv_use=1.0), 1.0),
        (Load(memory_use=0.975), 0.5),
        (Load(kv_use=0.85, memory_use=1.0), 1.0),
        (Load(queued=1), 1.0),
    ],
)
def test_the_nearest_limit_counts(load: Load, expected: float) -> None:
    assert pressure(load) == pytest.approx(expected)


def test_a_full_model_is_passed_over_and_the_plan_says_so() -> None:
    table = Table({"default": ("small", "large")}, worth=Worth(0.01, 0.0))
    free = {"small": Candidate(100, 10, quality=0.8), "large": Candidate(100, 10, quality=0.7)}
    full = free | {"small": Candidate(100, 10, quality=0.8, pressure=1.0)}
    assert decide(PlanRequest("ghost/auto"), free, table).plan.models == ("small", "large")
    plan = decide(PlanRequest("ghost/auto"), full, table).plan
    assert plan.models == ("large", "small")
    scores = {model: dict(terms) for model, terms in plan.scores}
    assert scores["small"]["load_usd"] == pytest.approx(-0.0025)
    assert scores["large"]["load_usd"] == 0.0
    assert scores["small"].keys() == {"quality_usd", "price_usd", "wait_usd", "load_usd"}


def test_what_was_told_fades() -> None:
    stats = FleetStats({})
    for _ in range(20):
        stats.tell_pressure("m", 1.0, 0.0)
    assert stats.of("m").pressure(0.0) == pytest.approx(1.0, abs=1e-5)
    assert stats.of("m").pressure(10.0) == pytest.approx(0.5, abs=1e-5)
    stats.tell_pressure("m", 0.0, 0.0)
    assert stats.of("m").pressure(0.0) == pytest.approx(0.5, abs=1e-5)


def test_every_ingress_learns_what_a_replica_says_with_its_frames() -> None:
    ask = Ask((), Sampling(10), streaming=True)
    session = Session("s", ask, Plan(("m",), "x"), 0.0)
    request = session.open("m", (1,), 0.0)
    session.accept(Frame(request.key, 0, tokens("ab"), replica="r", pressure=0.2), 1.0)
    session.accept(Frame(request.key, 2, tokens("c"), SegmentEnd("stop"), pressure=0.8), 2.0)
    board, stats = ObservationBoard(), FleetStats({})
    here, there = (SharedObservations(n, s, Promotions(Promotion())) for n, s in (("a", FleetStats({})), ("b", stats)))
    here.add(observations(session, failed=False), 2.0)
    board.exchange(here.take_report())
    there.apply(board.exchange(there.take_report()), 2.0)
    assert stats.of("m").pressure(2.0) == pytest.approx(0.4)
