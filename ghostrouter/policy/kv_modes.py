"""How the next engine gets its KV cache: by what it has taken before, for each model, mode and length."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Way = Literal["compute", "transfer"]

_FORGET = 0.98
_LEAST_SPREAD = 1e-6  # relative to the squares: below it all lengths are taken as one
# Transfer is tried out from here on; computing less is too quick to be beaten.
_TRY_TRANSFER_TOKENS = 512


@dataclass(slots=True)
class _Line:
    """Sums of an exponentially forgetting least-squares line."""

    n: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def add(self, x: float, y: float) -> None:
        for name, value in (("n", 1.0), ("x", x), ("y", y), ("xx", x * x), ("xy", x * y)):
            setattr(self, name, getattr(self, name) * _FORGET + value)

    def slope(self) -> float:
        spread = self.n * self.xx - self.x * self.x
        return max(0.0, (self.n * self.xy - self.x * self.y) / spread) if spread > _LEAST_SPREAD * self.xx else 0.0

    def at(self, x: float) -> float:
        return (self.y + self.slope() * (self.n * x - self.x)) / self.n


class KvModes:
    """Chooses between computing a prefix, preparing it ahead and transferring it.

    Times are lines over tokens: those to compute, or those to transfer. Recent measurements weigh more: each one fades
    to a half behind about 35 newer ones. `transfers` names the models whose replicas can hand KV blocks over.
    """

    def __init__(self, warm_from_s: float, transfers: Collection[str]) -> None:
        self._warm_from_s = warm_from_s
        self._transfers = frozenset(transfers)
        self._lines: dict[tuple[str, Way], _Line] = {}

    def observe(self, model: str, way: Way, tokens: int, seconds: float) -> None:
        """Learn how long `model` took to its first token behind that many tokens."""
        self._lines.setdefault((model, way), _Line()).add(tokens, seconds)

    def compute_s(self, model: str, tokens: int) -> float | None:
        """How much longer a prompt of `tokens` uncached tokens takes than a cached one; None before enough is known."""
        line = self._known(model, "compute")
        return None if line is None else line.slope() * tokens

    def is_worth_warming(self, model: str, tokens: int) -> bool:
        """Whether computing the prefix would take so long that it pays to do it ahead."""
        seconds = self.compute_s(model, tokens)
        return seconds is not None and seconds >= self._warm_from_s

    def is_worth_transferring(self, model: str, tokens: int) -> bool:
        """Whether another replica of `model` gets the prefix sooner from this one than by computing it."""
        if model not in self._transfers:
            return False
        transfer, compute = self._known(model, "transfer"), self._known(model, "compute")
        if transfer is None or compute is None:
            return tokens >= _TRY_TRANSFER_TOKENS
        return transfer.at(tokens) < compute.at(tokens)

    def _known(self, model: str, way: Way) -> _Line | None:
        line = self._lines.get((model, way))
        return None if line is None or line.n < 1.5 else line
