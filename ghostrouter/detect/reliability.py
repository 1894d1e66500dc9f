"""The reliability curve: does what is called a risk of 10% go wrong in 10% of the cases?"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Bin(NamedTuple):
    """Tokens of similar risk: their average risk, the share of them that is wrong, and their number."""

    risk: float
    wrong: float
    tokens: int


def reliability(risks: npt.NDArray[np.floating], wrong: npt.NDArray[np.bool_], bins: int = 10) -> list[Bin]:
    """The curve in at most `bins` bins of about equal size, by rising risk. Both arrays have one value a token.

    A calibrated detector has `risk` close to `wrong` in each bin (DeGroot and Fienberg 1983).
    """
    order = np.argsort(risks, kind="stable")
    return [
        Bin(float(risks[part].mean()), float(wrong[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    ]
