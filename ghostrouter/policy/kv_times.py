"""How long a model takes to its first token, learned from what it took."""

from dataclasses import dataclass

_FORGET = 0.98
_LEAST_SPREAD = 1e-6  # relative to the squares: below it all lengths are taken as one


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


class KvTimes:
    """Time to the first token as a line over the prompt tokens that had to be computed, for each model.

    Recent measurements weigh more: each one fades to a half behind about 35 newer ones of its model.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def observe(self, model: str, computed_tokens: int, ttft_s: float) -> None:
        """Learn from a segment whose prompt had `computed_tokens` tokens that were not cached."""
        self._lines.setdefault(model, _Line()).add(computed_tokens, ttft_s)

    def prefill_s(self, model: str, tokens: int) -> float | None:
        """How much longer `tokens` uncached tokens take than none; None before enough is known."""
        line = self._lines.get(model)
        return None if line is None or line.n < 1.5 else line.slope() * tokens
