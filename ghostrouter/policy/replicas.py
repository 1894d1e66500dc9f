"""Which replica of a model is to write a segment."""

from collections.abc import Sequence
from random import Random


def rank(replicas: Sequence[str], prefer: str, avoid: str, rng: Random) -> list[list[str]]:
    """Replicas in ranks, the best first; within a rank the shortest queue decides.

    First the one that holds the prefix, then two drawn from the others ("the power of two choices",
    Mitzenmacher 2001), and the one to avoid only when there is no other.
    """
    others = [r for r in replicas if r != avoid]
    ranks = [[prefer]] if prefer in others else []
    if others:
        ranks.append(rng.sample(others, min(2, len(others))))
    else:
        ranks.append(list(replicas))
    return ranks
