"""Keep the cost of answers within dollars per second: an account, and the price of a dollar in quality.

The account gains money with time and pays every answer. A model whose answer may cost more than the account holds is
not asked, unless it is the cheapest. The price of a dollar is the Lagrange multiplier of the budget: the lowest price
at which the last requests, decided by value, would have cost what is to be spent (Badanidiyuru et al. 2013, bandits
with knapsacks; solved again from recent contexts instead of a gradient step).
"""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

WINDOW = 256
"""Recent requests from which the price is computed."""
_SPREAD_OVER = 50.0
_GAP_WEIGHT = 0.02
_BISECTIONS = 20


class Pacer:
    """`usd_per_s` come in; at most those of `most_saved_s` are saved. Times are seconds, of any clock."""

    def __init__(self, usd_per_s: float, most_saved_s: float, gap_s: float, now_s: float) -> None:
        """`gap_s` is the expected time between requests until it has been observed."""
        self.usd_per_s = usd_per_s
        self._most_usd = usd_per_s * most_saved_s
        self._gap_s = gap_s
        self._at_s = now_s
        self.balance_usd = 0.0
        self._recent: deque[tuple[list[float], list[float]]] = deque(maxlen=WINDOW)

    def arrive(self, quality: list[float], usd: list[float], now_s: float) -> None:
        """Count a request: the expected quality and cost of an answer by each model."""
        passed_s = max(0.0, now_s - self._at_s)
        self._gap_s += _GAP_WEIGHT * (passed_s - self._gap_s)
        self.wait(now_s)
        self._recent.append((quality, usd))

    def wait(self, now_s: float) -> None:
        """Let the money of the time until `now_s` come in."""
        passed_s = max(0.0, now_s - self._at_s)
        self._at_s = max(now_s, self._at_s)
        self.balance_usd = min(self.balance_usd + self.usd_per_s * passed_s, self._most_usd)

    def pay(self, usd: float) -> None:
        """Pay for an answer. The account may get below zero; then only the cheapest model is asked."""
        self.balance_usd -= usd

    def usd_per_request(self) -> float:
        """What a request should cost from now on. Savings and debts are spread over the next requests."""
        return max(0.0, self.usd_per_s * self._gap_s + self.balance_usd / _SPREAD_OVER)

    def price(self) -> float:
        """The price of a dollar in units of quality: 0 if the budget does not bind."""
        if not self._recent:
            return 0.0
        quality = np.array([q for q, _ in self._recent])
        usd = np.array([u for _, u in self._recent])
        target = self.usd_per_request()
        if _mean_usd(quality, usd, 0.0) <= target:
            return 0.0
        low, high = 0.0, 1.0
        while _mean_usd(quality, usd, high) > target and high < 1e12:
            low, high = high, high * 8
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if _mean_usd(quality, usd, middle) > target:
                low = middle
            else:
                high = middle
        return high

    def to_json(self) -> dict[str, Any]:
        """The account as JSON. The time of its state is not kept: while the service is down no money comes in."""
        return {"balance_usd": self.balance_usd, "gap_s": self._gap_s, "recent": list(self._recent)}

    def restore(self, body: dict[str, Any]) -> None:
        """Take over what `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is not that.
        """
        recent = [([float(x) for x in q], [float(x) for x in u]) for q, u in body["recent"]]
        self.balance_usd, self._gap_s = min(float(body["balance_usd"]), self._most_usd), float(body["gap_s"])
        self._recent = deque(recent, maxlen=WINDOW)


def _mean_usd(quality: Matrix, usd: Matrix, price: float) -> float:
    """The mean cost if each request goes to the model of the highest value at a price."""
    best = (quality - price * usd).argmax(1)
    return float(usd[np.arange(len(usd)), best].mean())
