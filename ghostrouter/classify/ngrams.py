"""Character n-grams of a prompt. They help with other languages and odd spellings, where an English encoder is weak."""

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # slow to import, and only a classifier with an encoder needs it
    from scipy import sparse

SIZE = 1 << 13
"""The number of features that n-grams are hashed into."""
_HEAD, _TAIL = 500, 200
_PIECES = (2, 3, 4)
_TOKEN = re.compile(r"\w+|[^\w\s]")

Array = npt.NDArray[np.float32]


def features(text: str) -> list[int]:
    """The features of a text, sorted: words, pairs of words, the first word, and pieces of two to four characters.

    Only the beginning and the end of a long text are read.
    """
    read = text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"
    tokens = _TOKEN.findall(read.lower())
    found = {f"={t}" for t in tokens} | {f"{a}_{b}" for a, b in pairwise(tokens)} | {f"^{t}" for t in tokens[:1]}
    for token in set(tokens):
        padded = f" {token} "
        found |= {padded[i : i + n] for n in _PIECES for i in range(len(padded) - n + 1)}
    return sorted({zlib.crc32(f.encode()) % SIZE for f in found})


class Ngrams:
    """Unit vectors of texts, weighted by inverse document frequency: a feature of few texts counts more."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._features = [features(t) for t in texts]
        seen = np.bincount([i for found in self._features for i in found], minlength=SIZE)
        self._weights: Array = np.log((1 + len(texts)) / (1 + seen)).astype(np.float32)

    def matrix(self) -> "sparse.csr_array":
        """The vectors of the texts given at construction, of shape (texts, SIZE)."""
        from scipy import sparse

        rows = [self._values(found) for found in self._features]
        ends = np.cumsum([0, *map(len, self._features)])
        columns = [i for found in self._features for i in found]
        return sparse.csr_array((np.concatenate([*rows, np.zeros(0)]), columns, ends), (len(rows), SIZE))

    def of(self, text: str) -> tuple[list[int], Array]:
        """The vector of another text: the indices of its features, and their values."""
        found = features(text)
        return found, self._values(found)

    def _values(self, found: list[int]) -> Array:
        weights = self._weights[found]
        length = float(np.sqrt(weights @ weights))
        return weights / length if length else weights
