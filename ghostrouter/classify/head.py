"""What examples say of a prompt: ridge regression on their vectors and the pieces of their words.

A score is about 1 where a prompt is like the examples of a task and 0 where it is like those of others. Tasks weigh the
same however many examples they have. Solved in its dual form, which also gives every example's score without itself
(Rifkin and Lippert, Notes on regularized least squares, 2007).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ghostrouter.classify.encoder import Layers
from ghostrouter.classify.ngrams import Ngrams

Array = npt.NDArray[np.float32]

# Of the examples that ship 88% are labelled right when left out with these, 86 to 88% with half or twice as much.
_RIDGE = 1.0
_PIECES = 2.0
_CONSTANT = 0.05
_DEPTHS = 2
"""The last ones: what a prompt wants is seen in its form as much as in its meaning."""


class Head:
    """Fitted to `texts` with their vectors (texts, depths, dimensions); `of` is the number of each one's task.

    `left_out` are the scores (texts, tasks) that the texts would have if each were no example.
    """

    def __init__(self, texts: Sequence[str], layers: Layers, of: npt.NDArray[np.int64], tasks: int) -> None:
        vectors = _flat(layers)
        self._ngrams = Ngrams(texts)
        pieces = self._ngrams.matrix()
        wanted = np.eye(tasks)[of]
        alike = vectors @ vectors.T + _PIECES * (pieces @ pieces.T).toarray() + _CONSTANT
        share = np.bincount(of, minlength=tasks)[of] * tasks / len(of)
        solved = np.linalg.inv(alike + _RIDGE * np.diag(share))
        dual = solved @ wanted
        self.left_out: Array = (wanted - dual / np.diag(solved)[:, None]).astype(np.float32)
        self._by_vector: Array = (vectors.T @ dual).astype(np.float32)
        self._by_piece: Array = (_PIECES * (pieces.T @ dual)).astype(np.float32)
        self._constant: Array = (_CONSTANT * dual.sum(0)).astype(np.float32)

    def scores(self, text: str, layers: Layers) -> Array:
        """The score of each task for a text with its vectors (depths, dimensions)."""
        found, values = self._ngrams.of(text)
        scores: Array = _flat(layers[None])[0] @ self._by_vector + values @ self._by_piece[found] + self._constant
        return scores


def _flat(layers: Layers) -> Layers:
    """(texts, depths, dimensions) to (texts, the last depths side by side)."""
    return layers[:, -_DEPTHS:].reshape(len(layers), -1)
