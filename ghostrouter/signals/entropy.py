"""Entropy of a next-token distribution of which only the top is known.

An engine reports the k likeliest tokens. Their probabilities p_1 >= ... >= p_k leave the mass
r = 1 - sum(p_i) to the other m = V - k tokens of the vocabulary, none of which is likelier than p_k.

* The entropy is largest when r is spread evenly over the m tokens: -r ln(r / m).
* It is smallest when r sits on as few tokens as allowed: floor(r / p_k) tokens of probability p_k and one
  with what is left. Entropy is concave, so its minimum over the allowed distributions lies in a corner of
  that set, and all corners are permutations of this one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

_NOISE = 1e-9


class EntropyBounds(NamedTuple):
    """Bounds of an entropy, in nats; `estimate` is their middle."""

    lower_nats: float
    upper_nats: float

    @property
    def estimate_nats(self) -> float:
        return (self.lower_nats + self.upper_nats) / 2


def _surprisal(p: float) -> float:
    return -p * math.log(p) if p > 0.0 else 0.0


def bounds(top_logprobs: Sequence[float], vocab_size: int, outsider: float | None = None) -> EntropyBounds:
    """Bound the entropy from the log-probabilities of the k likeliest tokens, in any order.

    `outsider` is that of one more token, from outside the top k: the sampled one, when it was unlikely.

    Raises:
        ValueError: no log-probability is given, or more than the vocabulary has.
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
    return EntropyBounds(min(lower, upper), upper)  # of an even distribution both are the same but for the last bit
