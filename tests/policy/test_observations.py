from ghostrouter.config.routing import Promotion
from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.policy.observations import Observation, ObservationBoard, Report, SharedObservations, Update
from ghostrouter.policy.tiers import Promotions

SLOW = Observation("m", 3.0, 11, 1.0, task="code")
BROKEN = Observation("m", failed=True)


def shared(sender: str) -> tuple[SharedObservations, FleetStats]:
    stats = FleetStats({})
    return SharedObservations(sender, stats, Promotions(Promotion(first_token_s=1.0, breaches=2))), stats


def test_a_board_tells_each_what_the_others_saw_since() -> None:
    board = ObservationBoard()
    assert board.exchange(Report("a", 0, (SLOW,))) == Update(1, ())
    assert board.exchange(Report("b", 0, (BROKEN,))) == Update(2, (SLOW,))
    assert board.exchange(Report("b", 2, ())) == Update(2, ())
    assert board.exchange(Report("a", 1, (SLOW,))) == Update(3, (BROKEN,))
    assert board.exchange(Report("b", 2, ())) == Update(3, (SLOW,))


def test_a_new_board_begins_anew_and_an_old_one_keeps_what_it_can() -> None:
    board = ObservationBoard()
    board.exchange(Report("a", 0, (SLOW,)))
    assert board.exchange(Report("b", 77, ())) == Update(1, (SLOW,))
    board.exchange(Report("a", 1, (BROKEN,) * 5000))
    update = board.exchange(Report("b", 1, ()))
    assert (update.last_number, set(update.observations)) == (5001, {BROKEN})
    assert len(update.observations) < 5000


def test_what_one_ingress_sees_another_acts_upon() -> None:
    board = ObservationBoard()
    (here, stats_here), (there, stats_there) = shared("here"), shared("there")
    here.add([SLOW, BROKEN], 5.0)
    here.apply(board.exchange(here.take_report()), 5.0)
    assert stats_there.of("m").first_token.value is None
    there.apply(board.exchange(there.take_report()), 6.0)
    assert stats_there.of("m").first_token.value == stats_here.of("m").first_token.value == 3.0
    assert stats_there.of("m").further_token.value == 0.1
    assert stats_there.of("m").failure_share(6.0) == stats_here.of("m").failure_share(5.0) > 0


def test_a_task_is_promoted_by_the_answers_of_all() -> None:
    board, (here, _), (there, _) = ObservationBoard(), shared("here"), shared("there")
    here.add([SLOW], 0.0)
    there.add([SLOW], 0.0)
    assert here.promotions.levels == there.promotions.levels == {}
    here.apply(board.exchange(here.take_report()), 1.0)
    there.apply(board.exchange(there.take_report()), 1.0)
    here.apply(board.exchange(here.take_report()), 2.0)
    assert here.promotions.levels == there.promotions.levels == {"code": 1}


def test_what_is_lost_on_the_way_is_not_told_twice() -> None:
    board, (here, _) = ObservationBoard(), shared("here")
    here.add([SLOW], 0.0)
    here.take_report()  # never arrives
    assert here.take_report().observations == ()
    assert board.exchange(here.take_report()) == Update(0, ())
