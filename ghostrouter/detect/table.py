"""The detectors that are compared, by name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ghostrouter.detect import learn
from ghostrouter.detect.confidence import WindowDoubt
from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Detector
from ghostrouter.detect.doubt import Doubt
from ghostrouter.detect.first_of_step import FirstOfStep
from ghostrouter.detect.hazard import Hazard
from ghostrouter.detect.level import Level
from ghostrouter.detect.margin import Margin
from ghostrouter.detect.page_hinkley import PageHinkley
from ghostrouter.detect.position import Position
from ghostrouter.detect.slope import Slope
from ghostrouter.detect.text_only import TextOnly
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.trace import Trace

_ENTROPY = COLUMNS.index("entropy_nats")


@dataclass(frozen=True, slots=True)
class Contender:
    """A detector to compare: `make` sets it up from training traces.

    What `sums` scores probabilities; its score of an answer is the probability that some token is wrong, that of the
    others their highest score. Those of the `text` see nothing else: they stand for models without log-probabilities.
    """

    name: str
    kind: Literal["baseline", "unlearned", "learned", "text"]
    make: Callable[[Sequence[Trace]], Detector]
    sums: bool = False


def contenders() -> tuple[Contender, ...]:
    """All of them, baselines first."""
    return (
        Contender("position", "baseline", lambda _: Position()),
        Contender("position_early", "baseline", lambda _: Position(-1.0)),
        Contender("level", "unlearned", lambda _: Level()),
        Contender("slope", "unlearned", lambda _: Slope(8)),
        Contender("margin", "unlearned", lambda _: Margin()),
        Contender("doubt", "unlearned", lambda _: Doubt()),
        Contender("first_of_step", "unlearned", lambda _: FirstOfStep()),
        Contender("window", "unlearned", lambda _: WindowDoubt(8)),
        Contender("cusum", "unlearned", lambda traces: Cusum(half_way_nats(traces))),
        Contender("page_hinkley", "unlearned", lambda _: PageHinkley(0.1)),
        Contender("text_only", "text", lambda _: TextOnly()),
        Contender("text_hazard", "text", lambda traces: Hazard(learn.train(_texts(traces))), sums=True),
        Contender("hazard", "learned", lambda traces: Hazard(learn.train(traces)), sums=True),
    )


def _texts(traces: Sequence[Trace]) -> list[Trace]:
    return [t.without_logprobs() for t in traces]


def half_way_nats(traces: Sequence[Trace]) -> float:
    """Half-way between the entropies of right and wrong tokens: CUSUM then finds that shift soonest (Page 1954)."""
    entropy = np.concatenate([t.signals[:, _ENTROPY] for t in traces])
    labels = np.concatenate([t.labels for t in traces])
    return float(entropy[labels == 0].mean() + entropy[labels == 1].mean()) / 2
