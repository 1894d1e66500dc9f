"""The rescue point of a wrong answer: from which of its prefixes does a stronger model still come to a right one?"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

_LATER = 2


class Rescued(NamedTuple):
    """`point` is the length in tokens of the longest prefix found to be rescued; None: from no prefix.

    `monotonic` is false if a longer prefix than some failed one was rescued.
    """

    point: int | None
    monotonic: bool


def rescue_point(tokens: Sequence[str], is_rescued: Callable[[str], bool]) -> Rescued:
    """Bisect for the last prefix of `tokens` from which the answer becomes right (OmegaPRM, arXiv 2406.06592).

    `is_rescued` takes the text of a prefix. It is asked about log2(tokens) times. The stronger model is known to be
    right from the empty prefix. Bisection assumes that later is never better. Two later prefixes, half and three
    quarters of the way behind the point, test that.
    """
    low, high = 0, len(tokens)
    while high - low > 1:
        middle = (low + high) // 2
        if is_rescued("".join(tokens[:middle])):
            low = middle
        else:
            high = middle
    later = {high + (len(tokens) - high) * k // (_LATER + 2) for k in range(_LATER, _LATER + 2)} - {high, len(tokens)}
    again = [at for at in sorted(later) if is_rescued("".join(tokens[:at]))]
    return Rescued(max([low, *again]), not again)
