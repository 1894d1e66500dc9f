from random import Random

import pytest

from ghostrouter.policy.replicas import rank


@pytest.mark.parametrize(
    ("replicas", "prefer", "avoid", "first", "never"),
    [
        (["a", "b", "c"], "b", "", ["b"], ""),
        (["a", "b", "c"], "gone", "a", None, "a"),
        (["a", "b"], "a", "a", ["b"], "a"),  # what must be avoided is not preferred
        (["a"], "", "a", ["a"], ""),  # but it is better than none
    ],
)
def test_ranks(replicas: list[str], prefer: str, avoid: str, first: list[str] | None, never: str) -> None:
    for seed in range(20):
        ranks = rank(replicas, prefer, avoid, Random(seed))
        assert all(ranks)
        assert first is None or ranks[0] == first
        assert never not in {r for ids in ranks for r in ids}


def test_no_replica_no_rank_with_one() -> None:
    assert rank([], "a", "", Random(0)) == [[]]
