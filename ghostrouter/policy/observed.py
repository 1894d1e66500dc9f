"""What is observed of the models while they answer: how long they take, how often they fail, how many wait."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

_KEEP = 0.9
"""Of what is known so much stays with each new observation: about the last ten calls count."""
_FORGET_S = 60.0
"""A share of failures halves in this time without a call: who has failed gets another chance."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one model: seconds to the first token, seconds per token after it, the share of calls that failed.

    The first two are None before the first answer. `running` are the calls under way.
    """

    first_token_s: float | None = None
    token_s: float | None = None
    failing: float = 0.0
    failed_at_s: float = 0.0
    running: int = 0


class Observed:
    """Of all models. `slots` are the calls that a model works on at the same time, where that is limited."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._slots = slots
        self._seen: dict[str, Seen] = {}

    def begin(self, model: str) -> None:
        """A session begins with a model."""
        seen = self.seen(model)
        self._seen[model] = replace(seen, running=seen.running + 1)

    def end(self, model: str) -> None:
        """A session that has begun with it is over."""
        seen = self.seen(model)
        self._seen[model] = replace(seen, running=max(0, seen.running - 1))

    def answered(self, model: str, first_token_s: float, tokens: int, rest_s: float, now_s: float) -> None:
        """A segment was written: `tokens` in all, those after the first in `rest_s`."""
        seen = self.seen(model)
        each_s = rest_s / (tokens - 1) if tokens > 1 else None
        self._seen[model] = replace(
            seen,
            first_token_s=_mean(seen.first_token_s, first_token_s),
            token_s=seen.token_s if each_s is None else _mean(seen.token_s, each_s),
            failing=_KEEP * self.failing(model, now_s),
            failed_at_s=now_s,
        )

    def failed(self, model: str, now_s: float) -> None:
        """A call brought an error."""
        share = _KEEP * self.failing(model, now_s) + (1 - _KEEP)
        self._seen[model] = replace(self.seen(model), failing=share, failed_at_s=now_s)

    def failing(self, model: str, now_s: float) -> float:
        """The share of calls that fail at present."""
        seen = self.seen(model)
        return float(seen.failing * 0.5 ** ((now_s - seen.failed_at_s) / _FORGET_S))

    def wait_s(self, model: str, answer_tokens: int) -> float:
        """How long an answer is expected to take, those before it in the queue included; 0 where nothing is known."""
        seen = self.seen(model)
        if seen.first_token_s is None:
            return 0.0
        own_s = seen.first_token_s + answer_tokens * (seen.token_s or 0.0)
        slots = self._slots.get(model)
        rounds = seen.running // slots if slots else 0
        return own_s * (1 + rounds)

    def seen(self, model: str) -> Seen:
        """What is known of a model."""
        return self._seen.get(model, Seen())


def _mean(known: float | None, new: float) -> float:
    return new if known is None else _KEEP * known + (1 - _KEEP) * new
