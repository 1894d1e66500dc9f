"""How much memory a step of the evaluation takes: python -m tests.detect.peak_memory STEP. Prints megabytes."""

import resource
import sys
from collections.abc import Callable, Mapping

import numpy as np

from ghostrouter.detect.evaluate import compare
from ghostrouter.detect.fit import fit
from ghostrouter.detect.prefix_training import features
from ghostrouter.detect.rollback_table import rollback_table
from ghostrouter.traces.trace import Trace
from tests.detect.test_calibration import traces

STEPS: Mapping[str, Callable[[list[Trace]], object]] = {
    "compare": compare,
    "features": features,
    "rollback": lambda some: rollback_table(some, some, 12),
    "fit": lambda some: fit("m", some, 12, "made up"),
}


def one_long_answer_among_many() -> list[Trace]:
    """300 answers of 8 tokens, and one of 2,000."""
    short = [Trace("m", t.group, t.signals[:8], tuple(s for s in t.spans if s[1] <= 8)) for t in traces(300, 0.02)]
    return [*short, Trace("m", "long", np.tile(short[0].signals, (250, 1)), ())]


def peak_mb() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    some, before_mb = one_long_answer_among_many(), peak_mb()
    STEPS[sys.argv[1]](some)
    print(peak_mb() - before_mb)  # noqa: T201
