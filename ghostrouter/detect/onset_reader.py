"""The reader: a learned detector of onsets that sees signals and text. Beside it, the control that sees text alone."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ghostrouter.detect import prefix_training as training
from ghostrouter.detect.detector import Floats
from ghostrouter.detect.prefix_model import PrefixModel, PrefixWeights, probability
from ghostrouter.detect.training import folds
from ghostrouter.traces.trace import Trace, joined_labels, split

READERS: Final[Mapping[str, Sequence[int]]] = {
    "reader": training.ALL_COLUMNS,
    "reader_text": training.TEXT_COLUMNS,
}

Array = npt.NDArray[np.float64]


class Tokens:
    """Traces with the features and labels of all their tokens."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = traces
        self.features = training.features(traces)
        self._labels = joined_labels(traces)
        self._rows, self._weights = training.token_rows(traces)
        lengths = [len(t.signals) for t in traces]
        self.trace = np.repeat(np.arange(len(traces)), lengths)

    def learned(self, traces: Sequence[int], columns: Sequence[int]) -> PrefixWeights:
        """The weights of a model of some traces."""
        kept = np.isin(self.trace[self._rows], traces)
        rows = self._rows[kept]
        return training.train(self.features[rows], self._labels[rows] == 1, self._weights[kept], columns)


def scored(traces: Sequence[Trace], train: Sequence[Trace] | None) -> dict[str, list[Array]]:
    """For each reader the risks of all tokens, one array per trace. Without `train`, other groups are learned from."""
    tokens = Tokens(traces)
    learned_from = None if train is None else Tokens(train)
    out = {}
    for name, columns in READERS.items():
        risks = np.empty(len(tokens.features))
        if learned_from is None:
            for fit_on, test in folds(traces):
                rows = np.isin(tokens.trace, test)
                risks[rows] = _risks(tokens.learned(fit_on, columns), tokens.features[rows])
        else:
            risks[:] = _risks(learned_from.learned(range(len(learned_from.traces)), columns), tokens.features)
        out[name] = split(risks, traces)
    return out


def _risks(weights: PrefixWeights, features: Floats) -> Array:
    model = PrefixModel(weights)
    most = 20_000  # rows at once, so that many tokens need little memory
    return np.concatenate([probability(model.raw(features[i : i + most])) for i in range(0, len(features), most)])
