"""A labelled trace in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ghostrouter.signals.batch import COLUMNS, Floats

_FROM_TEXT = ("step_start", "kind", "repetition", "novelty", "inter_token_s")
_KNOWN = [i for i, name in enumerate(COLUMNS) if name not in _FROM_TEXT]
Labels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trace:
    """The signals and the wrong tokens of one answer.

    `signals` has the shape (tokens, columns of `signals.batch`). `spans` are the wrong tokens as half-open ranges, in
    order. A span begins at the token at which a right answer goes wrong. Traces of one `group` (the same question or
    document) are always on the same side of a split into training and test data.
    """

    model: str
    group: str
    signals: Floats
    spans: tuple[tuple[int, int], ...]

    @property
    def text_only(self) -> bool:
        """Whether all signals that need log-probabilities are zero."""
        return not self.signals[:, _KNOWN].any()

    def without_logprobs(self) -> "Trace":
        """The same trace as if the model gave no log-probabilities."""
        signals = self.signals.copy()
        signals[:, _KNOWN] = 0
        return Trace(self.model, self.group, signals, self.spans)

    @property
    def onset(self) -> int | None:
        """The index of the first wrong token; None in a right answer."""
        return self.spans[0][0] if self.spans else None

    @property
    def labels(self) -> Labels:
        """One label per token, of shape (tokens,): 1 at the start of a span, NaN in the rest of it, 0 elsewhere."""
        out = np.zeros(len(self.signals), dtype=np.float32)
        for begin, end in self.spans:
            out[begin:end] = np.nan
        for begin, _ in self.spans:
            out[begin] = 1
        return out

    def begun_at(self, token: int) -> "Trace":
        """The rest of the trace from `token` on, as a detector sees it that starts there.

        `token` must not lie inside a span.
        """
        spans = tuple((a - token, b - token) for a, b in self.spans if a >= token)
        return Trace(self.model, self.group, self.signals[token:], spans)


def joined_labels(traces: Sequence[Trace]) -> Labels:
    """The labels of all traces, one after the other, of shape (tokens of all traces,)."""
    return np.concatenate([t.labels for t in traces])


def split(values: npt.NDArray[Any], traces: Sequence[Trace]) -> list[npt.NDArray[Any]]:
    """Values of joined traces, of shape (tokens of all traces, ...), cut into one view per trace."""
    return np.split(values, np.cumsum([len(t.signals) for t in traces])[:-1])
