from ghostrouter.config.routing import Promotion
from ghostrouter.policy.observed import Observed
from ghostrouter.policy.sightings import Board, Heard, Sighting, Told, Watch
from ghostrouter.policy.tiers import Promotions

SLOW = Sighting("m", 3.0, 11, 1.0, task="code")
BROKEN = Sighting("m", failed=True)


def watch(who: str) -> tuple[Watch, Observed]:
    observed = Observed({})
    return Watch(who, observed, Promotions(Promotion(first_token_s=1.0, breaches=2))), observed


def test_a_board_tells_each_what_the_others_saw_since() -> None:
    board = Board()
    assert board.exchange(Told("a", 0, (SLOW,))) == Heard(1, ())
    assert board.exchange(Told("b", 0, (BROKEN,))) == Heard(2, (SLOW,))
    assert board.exchange(Told("b", 2, ())) == Heard(2, ())
    assert board.exchange(Told("a", 1, (SLOW,))) == Heard(3, (BROKEN,))
    assert board.exchange(Told("b", 2, ())) == Heard(3, (SLOW,))


def test_a_new_board_begins_anew_and_an_old_one_keeps_what_it_can() -> None:
    board = Board()
    board.exchange(Told("a", 0, (SLOW,)))
    assert board.exchange(Told("b", 77, ())) == Heard(1, (SLOW,))
    board.exchange(Told("a", 1, (BROKEN,) * 5000))
    heard = board.exchange(Told("b", 1, ()))
    assert (heard.number, set(heard.sightings)) == (5001, {BROKEN})
    assert len(heard.sightings) < 5000


def test_what_one_ingress_sees_another_acts_upon() -> None:
    board = Board()
    (here, seen_here), (there, seen_there) = watch("here"), watch("there")
    here.saw([SLOW, BROKEN], 5.0)
    here.hear(board.exchange(here.tell()), 5.0)
    assert seen_there.seen("m").first_token_s is None
    there.hear(board.exchange(there.tell()), 6.0)
    assert seen_there.seen("m").first_token_s == seen_here.seen("m").first_token_s == 3.0
    assert seen_there.seen("m").token_s == 0.1
    assert seen_there.failing("m", 6.0) == seen_here.failing("m", 5.0) > 0


def test_a_task_is_promoted_by_the_answers_of_all() -> None:
    board, (here, _), (there, _) = Board(), watch("here"), watch("there")
    here.saw([SLOW], 0.0)
    there.saw([SLOW], 0.0)
    assert here.promotions.levels == there.promotions.levels == {}
    here.hear(board.exchange(here.tell()), 1.0)
    there.hear(board.exchange(there.tell()), 1.0)
    here.hear(board.exchange(here.tell()), 2.0)
    assert here.promotions.levels == there.promotions.levels == {"code": 1}


def test_what_is_lost_on_the_way_is_not_told_twice() -> None:
    board, (here, _) = Board(), watch("here")
    here.saw([SLOW], 0.0)
    here.tell()  # never arrives
    assert here.tell().sightings == ()
    assert board.exchange(here.tell()) == Heard(0, ())
