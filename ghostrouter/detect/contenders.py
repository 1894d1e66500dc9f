"""The detectors that an evaluation compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from ghostrouter.detect import training
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.hazard import Hazard
from ghostrouter.detect.position import Position
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

_ENTROPY = COLUMNS.index("entropy_nats")


Kind = Literal["baseline", "unlearned", "learned", "text"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A detector to compare. `make` sets it up from training traces.

    A `baseline` looks at no signal. A `text` detector sees the text alone; it stands for models without
    log-probabilities.
    """

    name: str
    kind: Kind
    make: Callable[[Sequence[Trace]], Detector]
    scores_are_probabilities: bool = False


def contenders(text: bool = False) -> tuple[Contender, ...]:
    """All of them, baselines first.

    With `text`, no trace has log-probabilities, and `text_only` counts as unlearned.
    """
    found = _all()
    if not text:
        return found
    return tuple(replace(c, kind="unlearned") if c.name == "text_only" else c for c in found if c.name != "text_hazard")


def _all() -> tuple[Contender, ...]:
    return (
        Contender("position", "baseline", lambda _: Position()),
        Contender("position_early", "baseline", lambda _: Position(-1.0)),
        *(Contender(name, _kind(name), partial(_ready, found)) for name, found in FIXED_DETECTORS.items()),
        # Not among FIXED_DETECTORS: nothing is trained, but one number comes from labelled traces.
        Contender("cusum", "unlearned", lambda traces: Cusum(half_way_nats(traces))),
        Contender("text_hazard", "text", lambda traces: _hazard(_texts(traces)), scores_are_probabilities=True),
        Contender("hazard", "learned", _hazard, scores_are_probabilities=True),
    )


def _hazard(traces: Sequence[Trace]) -> Detector:
    return Hazard(training.train(traces))


def _ready(detector: Detector, _: Sequence[Trace]) -> Detector:
    return detector


def _kind(name: str) -> Kind:
    return "text" if name == "text_only" else "unlearned"


def _texts(traces: Sequence[Trace]) -> list[Trace]:
    return [t.without_logprobs() for t in traces]


def half_way_nats(traces: Sequence[Trace]) -> float:
    """The mean of the mean entropies of right and wrong tokens. With it CUSUM finds the shift soonest (Page 1954)."""
    entropy = np.concatenate([t.signals[:, _ENTROPY] for t in traces])
    labels = np.concatenate([t.labels for t in traces])
    return float(entropy[labels == 0].mean() + entropy[labels == 1].mean()) / 2
