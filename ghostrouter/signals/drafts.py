"""The acceptance of draft tokens (speculative decoding)."""

from collections.abc import Sequence

from ghostrouter.moving_average import MovingAverage

_WEIGHT = 0.2


class DraftAcceptance:
    """The moving average of accepted / proposed drafts; 1 until the first are proposed."""

    def __init__(self) -> None:
        self._average = MovingAverage(_WEIGHT, 1.0)

    @property
    def average(self) -> float:
        """The average now."""
        return self._average.value or 0.0

    def step(self, accepted: int, proposed: int) -> float:
        """Add a step of the engine; returns the average. A step without drafts changes nothing."""
        return self._average.add(accepted / proposed) if proposed else self.average


def guess(tokens: Sequence[int], most: int, longest: int, shortest: int) -> Sequence[int]:
    """The draft tokens that an n-gram drafter proposes behind `tokens`, at most `most`.

    It takes the longest n-gram (`longest` to `shortest` tokens) at the end of `tokens` that also occurs earlier, and
    proposes what followed its first occurrence. vLLM does the same with `method: ngram`, `prompt_lookup_max` and
    `prompt_lookup_min`.
    """
    for n in range(min(longest, len(tokens) - 1), shortest - 1, -1):
        tail = tuple(tokens[-n:])
        for at in range(len(tokens) - n):
            if tuple(tokens[at : at + n]) == tail:
                return tokens[at + n : at + n + most]
    return ()


def acceptances(
    prompt: Sequence[int],
    context: Sequence[int],
    chosen: Sequence[int],
    most: int = 4,
    longest: int = 4,
    shortest: int = 2,
) -> list[float]:
    """The average acceptance at each token, as if an engine had drafted by n-grams.

    `chosen[i]` is the token that the model writes behind `context[:i]`. It differs from `context[i]` in the forced view
    of `models.traces`.
    """
    average, out = DraftAcceptance(), list[float]()
    while len(out) < len(chosen):
        at = len(out)
        drafts = guess((*prompt, *context[:at]), most, longest, shortest)
        accepted = 0
        for draft, own, real in zip(drafts, chosen[at:], context[at:], strict=False):
            if draft != own or own != real:
                break
            accepted += 1
        # The last token of a step is the model's own; it replaces the first wrong draft.
        made = min(accepted + 1, len(chosen) - at)
        out += [average.step(accepted, len(drafts))] * made
    return out
