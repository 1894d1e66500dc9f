"""What a labelled trace is once it has been read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ghostrouter.signals import batch
from ghostrouter.signals.batch import COLUMNS, Floats

_FROM_TEXT = ("step_start", "kind", "repetition", "novelty", "inter_token_s")
_KNOWN = [i for i, name in enumerate(COLUMNS) if name not in _FROM_TEXT]
Labels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trace:
    """The signals of one answer, of shape (tokens, columns of `signals.batch`), and its wrong tokens.

    `spans` are half-open ranges of tokens, in order; each begins where the answer, right until then, goes wrong.
    Traces of one `group` (the same question, the same document) never stand on both sides of a split.
    """

    model: str
    group: str
    signals: Floats
    spans: tuple[tuple[int, int], ...]

    @property
    def text_only(self) -> bool:
        """Whether nothing is known of the model's log-probabilities."""
        return not self.signals[:, _KNOWN].any()

    def without_logprobs(self) -> "Trace":
        """The trace as it would be of a model that gives none."""
        signals = self.signals.copy()
        signals[:, _KNOWN] = 0
        return Trace(self.model, self.group, signals, self.spans)

    @property
    def onset(self) -> int | None:
        """The first wrong token, if any."""
        return self.spans[0][0] if self.spans else None

    @property
    def labels(self) -> Labels:
        """1 where a span begins, NaN in the rest of it, 0 elsewhere; of shape (tokens,)."""
        out = np.zeros(len(self.signals), dtype=np.float32)
        for begin, end in self.spans:
            out[begin:end] = np.nan
        for begin, _ in self.spans:
            out[begin] = 1
        return out

    def begun_at(self, token: int) -> "Trace":
        """The trace as a detector sees it that begins with `token`, which must not lie behind a span's beginning."""
        spans = tuple((a - token, b - token) for a, b in self.spans if a >= token)
        return Trace(self.model, self.group, self.signals[token:], spans)


def padded(traces: Sequence[Trace]) -> Floats:
    """The signals of many traces, of shape (traces, tokens, columns), filled up with NaN."""
    return batch.padded([t.signals for t in traces])


def padded_labels(traces: Sequence[Trace]) -> Labels:
    """Their labels, of shape (traces, tokens), filled up with NaN."""
    longest = max((len(t.signals) for t in traces), default=0)
    out = np.full((len(traces), longest), np.nan, dtype=np.float32)
    for row, trace in zip(out, traces, strict=True):
        row[: len(trace.signals)] = trace.labels
    return out
