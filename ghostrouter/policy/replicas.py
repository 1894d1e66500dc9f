"""Choose the replica of a model that writes a segment."""

from collections.abc import Sequence
from random import Random


def rank(replicas: Sequence[str], prefer: str, avoid: str, rng: Random) -> list[list[str]]:
    """Replicas in ranks, the best rank first. Within a rank, the replica with the shortest queue is taken.

    The first rank is the replica to prefer, which holds the prefix. The second are two random ones of the others ("the
    power of two choices", Mitzenmacher 2001). The replica to avoid is used only if there is no other.
    """
    others = [r for r in replicas if r != avoid]
    ranks = [[prefer]] if prefer in others else []
    if others:
        ranks.append(rng.sample(others, min(2, len(others))))
    else:
        ranks.append(list(replicas))
    return ranks
