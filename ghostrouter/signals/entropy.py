"""Bounds of the entropy of a next-token distribution of which only the top k are known.

An engine reports the k likeliest tokens, with probabilities p_1 >= ... >= p_k. The other m = V - k tokens of the
vocabulary share the mass r = 1 - sum(p_i), and none of them is likelier than p_k.

* The entropy is largest if r is spread evenly over the m tokens. They then add -r ln(r / m).
* It is smallest if r is on as few tokens as possible: floor(r / p_k) tokens with probability p_k, and one with what
  remains. Entropy is concave, so its minimum is at a corner of the set of possible distributions, and all corners are
  permutations of this one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

_NOISE = 1e-9


class EntropyBounds(NamedTuple):
    """Bounds of an entropy, in nats. `estimate_nats` is the middle between them."""

    lower_nats: float
    upper_nats: float

    @property
    def estimate_nats(self) -> float:
        return (self.lower_nats + self.upper_nats) / 2


def _surprisal(p: float) -> float:
    return -p * math.log(p) if p > 0.0 else 0.0


def bounds(top_logprobs: Sequence[float], vocab_size: int, outsider: float | None = None) -> EntropyBounds:
    """Bound the entropy from the log-probabilities of the k likeliest tokens, in any order.

    `outsider` is the log-probability of one token outside the top k: the sampled token, if it is not among them.

    Raises:
        ValueError: there is no log-probability, or there are more than `vocab_size`.
    """
    top = [math.exp(min(0.0, x)) for x in top_logprobs]
    known = top if outsider is None else [*top, math.exp(min(0.0, outsider))]
    others = vocab_size - len(known)
    if not top or others < 0:
        raise ValueError(f"{len(known)} log-probabilities for a vocabulary of {vocab_size}")
    entropy_known = sum(map(_surprisal, known))
    rest = 1.0 - sum(known)
    if rest <= _NOISE or others == 0:
        return EntropyBounds(entropy_known, entropy_known)
    upper = entropy_known - rest * math.log(rest / others)
    cap = max(min(top), rest / others)
    whole = math.floor(rest / cap)
    lower = entropy_known + whole * _surprisal(cap) + _surprisal(rest - whole * cap)
    return EntropyBounds(min(lower, upper), upper)  # equal but for rounding if the distribution is even
