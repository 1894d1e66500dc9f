"""Offline evaluation of routers: cross-validation by question, and figures with intervals."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ghostrouter.confidence_intervals import interval
from ghostrouter.learn.apgr import apgr, cpt
from ghostrouter.learn.peers import PEERS, Peer
from ghostrouter.learn.rows import Rows
from ghostrouter.learn.views import Views

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


def questions(rows: Rows) -> Index:
    """A group number for each row. Questions that differ in case, spaces or punctuation only have the same number."""
    return np.unique(_plain(rows), return_inverse=True)[1]


def families(rows: Rows, characters: int = 60) -> Index:
    """A group number for each row. Questions that begin with the same characters have the same number.

    They share a passage or a form, so that a router that has seen one of them knows something of the others.
    """
    return np.unique([key[:characters] for key in _plain(rows)], return_inverse=True)[1]


def _plain(rows: Rows) -> list[str]:
    return [re.sub(r"\W+", " ", p.casefold()).strip() for p in rows.prompts]


def folds(groups: Index, count: int, seed: int = 0) -> Iterator[tuple[Index, Index]]:
    """Folds for cross-validation: rows to train on and rows to test on. A group is in one fold only."""
    fold = (np.random.default_rng(seed).permutation(groups.max() + 1) % count)[groups]
    for number in range(count):
        if (fold == number).any() and (fold != number).any():
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def cross_validated(rows: Rows, views: Views, groups: Index, peers: Mapping[str, Peer], count: int) -> dict[str, Array]:
    """The scores of every row by each peer, which was fitted without the row's group."""
    scores = {name: np.zeros(len(rows.prompts)) for name in peers}
    for train, test in folds(groups, count):
        for name, peer in peers.items():
            scores[name][test] = peer(rows.take(train), views.take(train), views.take(test))
    return scores


def held_out(train: Rows, train_views: Views, test_views: Views) -> dict[str, Array]:
    """The scores by each peer of the rows of another file."""
    return {name: peer(train, train_views, test_views) for name, peer in PEERS.items()}


def figures(scores: Mapping[str, Array], rows: Rows, draws: int = 1000) -> dict[str, Any]:
    """`apgr`, `cpt50` and `cpt80` of our router, and `apgr_NAME` and so on of every peer.

    Keys that end in `_ci` hold 95% intervals as [low, high]. `apgr_over_NAME` is our APGR minus the peer's, with an
    interval from the same resamples.
    """
    weak, strong = rows.good.T
    groups = questions(rows)
    found: dict[str, Any] = {"n": len(weak), "weak_accuracy": weak.mean(), "strong_accuracy": strong.mean()}
    for name, score in scores.items():
        tail = "" if name == "ours" else f"_{name}"

        def area(i: Index, score: Array = score) -> float:
            return apgr(score[i], weak[i], strong[i])

        found[f"apgr{tail}"], *found[f"apgr{tail}_ci"] = interval(area, groups, draws)
        for percent in (50, 80):
            found[f"cpt{percent}{tail}"] = cpt(score, weak, strong, percent / 100)
        if name == "ours":
            for percent in (50, 80):

                def calls(i: Index, score: Array = score, share: float = percent / 100) -> float:
                    return cpt(score[i], weak[i], strong[i], share)

                found[f"cpt{percent}_ci"] = interval(calls, groups, draws)[1:]
        elif "ours" in scores:

            def above(i: Index, score: Array = score) -> float:
                return apgr(scores["ours"][i], weak[i], strong[i]) - apgr(score[i], weak[i], strong[i])

            found[f"apgr_over_{name}"], *found[f"apgr_over_{name}_ci"] = interval(above, groups, draws)
    return found
