"""Choose how the next engine gets its KV cache, by the times that were measured for each model, way and length."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Way = Literal["compute", "transfer"]

_FORGET = 0.98
_LEAST_SPREAD = 1e-6  # relative to the sum of squares; below it all lengths count as equal
# While nothing is measured, a transfer is tried from this length on.
_TRY_TRANSFER_TOKENS = 512


@dataclass(slots=True)
class _Line:
    """A least-squares line of seconds over tokens, as sums in which older points weigh less and less."""

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
    """Chooses between computing a prefix, computing it ahead (warming) and transferring it.

    Times are lines over the number of tokens to compute or to transfer. The weight of a measurement halves with every
    35 newer ones. `transfers` names the models whose replicas can transfer KV blocks.
    """

    def __init__(self, warm_from_s: float, transfers: Collection[str]) -> None:
        self._warm_from_s = warm_from_s
        self._transfers = frozenset(transfers)
        self._lines: dict[tuple[str, Way], _Line] = {}

    def observe(self, model: str, way: Way, tokens: int, seconds: float) -> None:
        """Add a measurement: the seconds to the first token after a prefix of `tokens` tokens."""
        self._lines.setdefault((model, way), _Line()).add(tokens, seconds)

    def compute_s(self, model: str, tokens: int) -> float | None:
        """The extra seconds for `tokens` uncached prompt tokens; None with fewer than two measurements."""
        line = self._known(model, "compute")
        return None if line is None else line.slope() * tokens

    def is_worth_warming(self, model: str, tokens: int) -> bool:
        """Whether computing the prefix takes so long that it is worth doing ahead."""
        seconds = self.compute_s(model, tokens)
        return seconds is not None and seconds >= self._warm_from_s

    def is_worth_transferring(self, model: str, tokens: int) -> bool:
        """Whether another replica of `model` gets the prefix faster by transfer than by computing it."""
        if model not in self._transfers:
            return False
        transfer, compute = self._known(model, "transfer"), self._known(model, "compute")
        if transfer is None or compute is None:
            return tokens >= _TRY_TRANSFER_TOKENS
        return transfer.at(tokens) < compute.at(tokens)

    def _known(self, model: str, way: Way) -> _Line | None:
        line = self._lines.get((model, way))
        return None if line is None or line.n < 1.5 else line
