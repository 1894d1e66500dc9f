"""A labelled trace in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    document) are always on the same side of a split into training and test data. `wrong` says whether the answer is
    wrong; it may be so without spans, if nobody knows where. `prompt` and `tokens` are the text. `rescue_point` is the
    length of the longest prefix from which the stronger model still came to a right answer; None: from none, or
    nobody knows (`has_rescue` is false).
    """

    model: str
    group: str
    signals: Floats
    spans: tuple[tuple[int, int], ...]
    wrong: bool = False
    prompt: str = ""
    tokens: tuple[str, ...] = ()
    rescue_point: int | None = None
    has_rescue: bool = False

    def __post_init__(self) -> None:
        """An answer with wrong tokens is wrong."""
        if self.spans and not self.wrong:
            object.__setattr__(self, "wrong", True)

    @property
    def is_located(self) -> bool:
        """Whether it is known where the answer went wrong, or that it did not."""
        return bool(self.spans) or not self.wrong

    @property
    def text_only(self) -> bool:
        """Whether all signals that need log-probabilities are zero."""
        return not self.signals[:, _KNOWN].any()

    def without_logprobs(self) -> "Trace":
        """The same trace as if the model gave no log-probabilities."""
        signals = self.signals.copy()
        signals[:, _KNOWN] = 0
        return replace(self, signals=signals)

    @property
    def onset(self) -> int | None:
        """The index of the first wrong token; None in a right answer."""
        return self.spans[0][0] if self.spans else None

    @property
    def labels(self) -> Labels:
        """One label per token, of shape (tokens,): 1 at the start of a span, NaN in the rest of it, 0 elsewhere.

        All are NaN if the answer is wrong and nobody knows where.
        """
        if not self.is_located:
            return np.full(len(self.signals), np.nan, dtype=np.float32)
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
        return replace(self, signals=self.signals[token:], spans=spans, tokens=self.tokens[token:], wrong=bool(spans))


def joined_labels(traces: Sequence[Trace]) -> Labels:
    """The labels of all traces, one after the other, of shape (tokens of all traces,)."""
    return np.concatenate([t.labels for t in traces])


def split(values: npt.NDArray[Any], traces: Sequence[Trace]) -> list[npt.NDArray[Any]]:
    """Values of joined traces, of shape (tokens of all traces, ...), cut into one view per trace."""
    return np.split(values, np.cumsum([len(t.signals) for t in traces])[:-1])
