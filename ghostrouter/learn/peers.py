"""Routers to compare the learned router with. Each is fitted on rows and scores prompts."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ghostrouter.learn.apgr import apgr
from ghostrouter.learn.router import USUAL, LearnedRouter, Settings
from ghostrouter.learn.rows import Rows
from ghostrouter.learn.views import Views

Array = npt.NDArray[np.float64]
Peer = Callable[[Rows, Views, Views], Array]
"""(training rows, their views, views of the prompts to score) -> how much each prompt needs the strong model."""

_NEIGHBOURS = 100
_REGULARISATION = (0.01, 0.1, 1.0)


def need(probabilities: Array) -> Array:
    """The probability of the strong model (second column) minus that of the weak one (first column)."""
    return np.asarray(probabilities[:, 1] - probabilities[:, 0])


def ours(rows: Rows, views: Views, asked: Views) -> Array:
    """The learned router."""
    return need(LearnedRouter.fit(rows, views).probabilities(asked))


def random(rows: Rows, views: Views, asked: Views) -> Array:
    """Random scores."""
    return np.random.default_rng(1).random(len(asked.counts))


def best_single(rows: Rows, views: Views, asked: Views) -> Array:
    """The same score for all prompts, so that the better model on average gets a share of the calls."""
    return np.zeros(len(asked.counts))


def neighbours(rows: Rows, views: Views, asked: Views) -> Array:
    """The mean gain of the strong model on the 100 nearest questions."""
    likeness = asked.layers[:, -1] @ views.layers[:, -1].T
    count = min(_NEIGHBOURS, likeness.shape[1] - 1)
    nearest = np.argpartition(-likeness, count, axis=1)[:, :count]
    return np.asarray(need(rows.good)[nearest].mean(1))


def logistic(rows: Rows, views: Views, asked: Views) -> Array:
    """One logistic regression on the embedding per model. A fifth of the rows chooses the regularisation."""
    held = np.random.default_rng(0).permutation(len(rows.prompts)) % 5 == 0
    inner, outer = np.flatnonzero(~held), np.flatnonzero(held)
    weak, strong = rows.good[outer].T

    def on_held(c: float) -> float:
        return apgr(_heads(rows.take(inner), views.take(inner), views.take(outer), c), weak, strong)

    return _heads(rows, views, asked, max(_REGULARISATION, key=on_held))


def _heads(rows: Rows, views: Views, asked: Views, c: float) -> Array:
    from sklearn.linear_model import LogisticRegression

    columns = []
    for good in rows.good.T:
        right = good > 0.5
        if right.all() or not right.any():
            columns.append(np.full(len(asked.counts), right.mean()))
            continue
        head = LogisticRegression(C=c, max_iter=300).fit(views.layers[:, -1], right)
        columns.append(head.predict_proba(asked.layers[:, -1])[:, 1])
    return need(np.stack(columns, axis=1))


CHOICES = (
    USUAL,
    Settings(sharpness=0.5),
    Settings(sharpness=2.0),
    Settings(noise=3.0),
    Settings(noise=30.0),
    Settings(neighbours=120),
)
"""The settings that `nested` chooses among."""


def nested(rows: Rows, views: Views, asked: Views) -> Array:
    """The learned router with the settings that are best on three folds of these rows.

    In cross-validation that is nested: the questions to score have no part in the choice.
    """
    fold = np.random.default_rng(0).permutation(len(rows.prompts)) % 3

    def on_folds(settings: Settings) -> float:
        scores = np.zeros(len(rows.prompts))
        for number in range(3):
            inner, outer = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            router = LearnedRouter.fit(rows.take(inner), views.take(inner), settings)
            scores[outer] = need(router.probabilities(views.take(outer)))
        return apgr(scores, *rows.good.T)

    return need(LearnedRouter.fit(rows, views, max(CHOICES, key=on_folds)).probabilities(asked))


PEERS: dict[str, Peer] = {
    "ours": ours,
    "knn": neighbours,
    "logistic": logistic,
    "best_single": best_single,
    "random": random,
}
