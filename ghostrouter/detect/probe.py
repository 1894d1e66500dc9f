"""A probe: one more answer to the same question. Whether both come to the same says much about either."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from ghostrouter.traces.checks import agree
from ghostrouter.traces.trace import Trace

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def probes(traces: Sequence[Trace]) -> list[int | None]:
    """For each answer, another answer of the same model to the same prompt: the next one, in a circle; None: no other.

    Each answer is the probe of one other answer, so that none counts more than once.
    """
    same: dict[tuple[str, str], list[int]] = {}
    for i, trace in enumerate(traces):
        same.setdefault((trace.model, trace.prompt), []).append(i)
    out: list[int | None] = [None] * len(traces)
    for members in same.values():
        for here, following in zip(members, [*members[1:], members[0]], strict=True):
            out[here] = following if following != here else None
    return out


def features(traces: Sequence[Trace], rows: Sequence[int], others: Sequence[int], raw: Array) -> Array:
    """Risk of the answer, agreement with its probe, risk of the probe, and products: of shape (rows, 5).

    `raw` has the log-odds of all traces, from models that were not trained on their groups.
    """
    texts = ["".join(t.tokens) for t in traces]
    same = np.array([float(agree(texts[i], texts[j])) for i, j in zip(rows, others, strict=True)])
    mine, other = raw[np.asarray(rows)], raw[np.asarray(others)]
    return np.stack((mine, same, other, same * mine, same * other), axis=1)


def cross_scored(x: Array, wrong: npt.NDArray[np.bool_], fold: Rows) -> Array:
    """The log-odds of each row by a regression on the rows of the other folds."""
    out = np.empty(len(x))
    for f in np.unique(fold):
        test = fold == f
        model = LogisticRegression(C=1.0, max_iter=300).fit(x[~test], wrong[~test])
        out[test] = model.decision_function(x[test])
    return out
