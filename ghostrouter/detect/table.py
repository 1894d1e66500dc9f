"""The detectors that are compared, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from ghostrouter.detect import learn
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector
from ghostrouter.detect.hazard import Hazard
from ghostrouter.detect.position import Position
from ghostrouter.detect.unlearned import UNLEARNED
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

_ENTROPY = COLUMNS.index("entropy_nats")


Kind = Literal["baseline", "unlearned", "learned", "text"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A detector to compare: `make` sets it up from training traces.

    What `sums` scores probabilities; its score of an answer is the probability that some token is wrong, that of the
    others their highest score. Those of the `text` see nothing else: they stand for models without log-probabilities.
    """

    name: str
    kind: Kind
    make: Callable[[Sequence[Trace]], Detector]
    sums: bool = False


def contenders(text: bool = False) -> tuple[Contender, ...]:
    """All of them, baselines first. With `text` nothing else is known: what sees the text alone is like any other."""
    found = _all()
    if not text:
        return found
    return tuple(replace(c, kind="unlearned") if c.name == "text_only" else c for c in found if c.name != "text_hazard")


def _all() -> tuple[Contender, ...]:
    return (
        Contender("position", "baseline", lambda _: Position()),
        Contender("position_early", "baseline", lambda _: Position(-1.0)),
        *(Contender(name, _kind(name), partial(_ready, found)) for name, found in UNLEARNED.items()),
        Contender("cusum", "unlearned", lambda traces: Cusum(half_way_nats(traces))),
        Contender("text_hazard", "text", lambda traces: Hazard(learn.train(_texts(traces))), sums=True),
        Contender("hazard", "learned", lambda traces: Hazard(learn.train(traces)), sums=True),
    )


def _ready(detector: Detector, _: Sequence[Trace]) -> Detector:
    return detector


def _kind(name: str) -> Kind:
    return "text" if name == "text_only" else "unlearned"


def _texts(traces: Sequence[Trace]) -> list[Trace]:
    return [t.without_logprobs() for t in traces]


def half_way_nats(traces: Sequence[Trace]) -> float:
    """Half-way between the entropies of right and wrong tokens: CUSUM then finds that shift soonest (Page 1954)."""
    entropy = np.concatenate([t.signals[:, _ENTROPY] for t in traces])
    labels = np.concatenate([t.labels for t in traces])
    return float(entropy[labels == 0].mean() + entropy[labels == 1].mean()) / 2
