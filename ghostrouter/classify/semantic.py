"""Layer 2: the task whose examples are most similar to a prompt."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.classify.encoder import Layers
from ghostrouter.classify.head import Head
from ghostrouter.types import Classification

Embed = Callable[[Sequence[str]], Layers]
"""Texts to unit vectors, of shape (texts, depths, dimensions)."""

_MIN_EXAMPLES = 4
_CLOSEST = 5
_NEAR = 3


class _Fitted(NamedTuple):
    """What is learned from examples: the fitted head, and their sentence embeddings (examples, dimensions)."""

    head: Head
    matrix: Layers


@lru_cache(maxsize=2)
def _fitted(texts: tuple[str, ...], of: tuple[int, ...], tasks: int, embed: Embed) -> _Fitted:
    """Fit once per set of examples.

    It takes a second, which a live change of other settings should not have to wait for.
    """
    layers = embed(texts)
    return _Fitted(Head(texts, layers, np.array(of), tasks), layers[:, -1])


class Semantic:
    """Scores all tasks with a `Head` that is fitted to the examples, and abstains below the threshold of the best
    task.

    The threshold of a task with at least four examples is learned by leave-one-out, and compared with the head's score.
    Other tasks have `threshold`, which is compared with the cosine similarity to their closest examples. With `fixed`
    all tasks have `threshold`.
    """

    def __init__(
        self, by_task: Mapping[str, Sequence[str]], threshold: float, embed: Embed, fixed: bool = True
    ) -> None:
        self._embed = embed
        self._tasks = [task for task, examples in by_task.items() if examples]
        self._examples = [(task, example) for task in self._tasks for example in by_task[task]]
        self._of = np.array([self._tasks.index(task) for task, _ in self._examples])
        self.thresholds = dict.fromkeys(self._tasks, threshold)
        self._has_learned: set[str] = set()
        self._head: Head | None = None
        if self._examples:
            texts = tuple(example for _, example in self._examples)
            self._head, self._matrix = _fitted(texts, tuple(self._of.tolist()), len(self._tasks), embed)
            if not fixed:
                learned = self._learned(self._head.left_out)
                self.thresholds |= learned
                self._has_learned |= set(learned)

    def classify(self, prompt: str) -> Classification | None:
        """The task of a prompt; None if no task is similar enough."""
        return self.classify_embedded(prompt, self._embed([prompt])[0]) if self._head else None

    def classify_embedded(self, prompt: str, layers: Layers) -> Classification | None:
        """The task of a prompt whose vectors are `layers`, of shape (depths, dimensions)."""
        if self._head is None:
            return None
        scores = self._head.scores(prompt, layers)
        best = int(scores.argmax())
        task, own = self._tasks[best], np.flatnonzero(self._of == best)
        alike = self._matrix[own] @ layers[-1]
        score = float(scores[best]) if task in self._has_learned else _closest(alike)
        if score < self.thresholds[task]:
            return None
        nearest = self._examples[int(own[alike.argmax()])][1]
        return Classification(task, "semantic", min(1.0, max(0.0, score)), f"like {nearest!r}")

    def nearest(self, layers: Layers) -> list[tuple[str, str, float]]:
        """The closest examples as (task, example, similarity), without any threshold."""
        if self._head is None:
            return []
        similarities = self._matrix @ layers[-1]
        return [(*self._examples[i], float(similarities[i])) for i in np.argsort(-similarities)[:_NEAR]]

    def _learned(self, left_out: npt.NDArray[np.float32]) -> dict[str, float]:
        """The threshold of each task: the score from which on its label is right more often than wrong.

        `left_out` are the leave-one-out scores of the examples, of shape (examples, tasks).
        """
        predicted, score = left_out.argmax(1), left_out.max(1)
        found = {}
        for number, task in enumerate(self._tasks):
            mine = np.flatnonzero(predicted == number)
            if (self._of == number).sum() < _MIN_EXAMPLES or not len(mine):
                continue
            order = mine[np.argsort(-score[mine])]
            balance = np.cumsum(np.where(self._of[order] == number, 1, -1))
            last = len(balance) - 1 - int(balance[::-1].argmax())
            found[task] = float(score[order[last]])
        return found


def _closest(alike: npt.NDArray[np.float32]) -> float:
    """The mean similarity of the closest examples; with one or two examples, that of the closest alone."""
    return float(np.sort(alike)[::-1][: _CLOSEST if len(alike) > 2 else 1].mean())
