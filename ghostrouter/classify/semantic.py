"""Layer 2: the task that a prompt resembles most, learned from example utterances."""

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

_LEARN_FROM = 4
_CLOSEST = 5
_NEAR = 3


class _Fitted(NamedTuple):
    """What is learned from examples: what they say together, and their sentence embeddings (examples, dimensions)."""

    head: Head
    matrix: Layers


@lru_cache(maxsize=2)
def _fitted(texts: tuple[str, ...], of: tuple[int, ...], tasks: int, embed: Embed) -> _Fitted:
    """Made once for the same examples: it takes a second, and a live change of something else does not wait for it."""
    layers = embed(texts)
    return _Fitted(Head(texts, layers, np.array(of), tasks), layers[:, -1])


class Semantic:
    """The task that all examples together speak for (`Head`). Below the task's threshold it abstains.

    A task with enough examples has a threshold of its own for what they say, learned by leaving each out in turn. The
    others have `threshold`, with `fixed` all do: a cosine similarity to the task's closest examples.
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
        """The task of a prompt, None when nothing is close enough."""
        return self.classify_embedded(prompt, self._embed([prompt])[0]) if self._head else None

    def classify_embedded(self, prompt: str, layers: Layers) -> Classification | None:
        """The task of a prompt with its vectors, (depths, dimensions)."""
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
        """The closest examples whatever the threshold: task, example, similarity."""
        if self._head is None:
            return []
        similarities = self._matrix @ layers[-1]
        return [(*self._examples[i], float(similarities[i])) for i in np.argsort(-similarities)[:_NEAR]]

    def _learned(self, left_out: npt.NDArray[np.float32]) -> dict[str, float]:
        """Per task the score from which on its label is right more often than wrong, by the scores (examples, tasks)
        that each example has when it is left out."""
        said, score = left_out.argmax(1), left_out.max(1)
        found = {}
        for number, task in enumerate(self._tasks):
            mine = np.flatnonzero(said == number)
            if (self._of == number).sum() < _LEARN_FROM or not len(mine):
                continue
            order = mine[np.argsort(-score[mine])]
            balance = np.cumsum(np.where(self._of[order] == number, 1, -1))
            last = len(balance) - 1 - int(balance[::-1].argmax())
            found[task] = float(score[order[last]])
        return found


def _closest(alike: npt.NDArray[np.float32]) -> float:
    """The mean of the closest; of one or two examples only the closest counts."""
    return float(np.sort(alike)[::-1][: _CLOSEST if len(alike) > 2 else 1].mean())
