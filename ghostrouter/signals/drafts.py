"""How many of the tokens that were guessed ahead an engine has accepted."""

from collections.abc import Sequence

_FORGET = 0.2


class Acceptance:
    """The exponential average of accepted over proposed drafts; 1 until any were proposed."""

    def __init__(self) -> None:
        self.average = 1.0

    def step(self, accepted: int, proposed: int) -> float:
        """Take in a step of the engine; one without drafts says nothing."""
        if proposed:
            self.average += _FORGET * (accepted / proposed - self.average)
        return self.average


def guess(tokens: Sequence[int], most: int, longest: int, shortest: int) -> Sequence[int]:
    """What followed the first occurrence of the longest n-gram that the tokens end with, at most `most` tokens.

    Drafting by n-grams as vLLM does it (`method: ngram`, `prompt_lookup_max` and `prompt_lookup_min`).
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
    """The running average at each token, had an engine drafted by n-grams.

    `chosen` is what the model would write at each position behind the `context` before it: the same where it went on
    with its own words.
    """
    average, out = Acceptance(), list[float]()
    while len(out) < len(chosen):
        at = len(out)
        drafts = guess((*prompt, *context[:at]), most, longest, shortest)
        accepted = 0
        for draft, own, real in zip(drafts, chosen[at:], context[at:], strict=False):
            if draft != own or own != real:
                break
            accepted += 1
        # The last token of a step is the model's own, at the place of the first draft that was wrong.
        made = min(accepted + 1, len(chosen) - at)
        out += [average.step(accepted, len(drafts))] * made
    return out
