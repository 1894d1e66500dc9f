"""Calibrate the shipped models on validation questions, and write calibration.json beside the weights.

It does what `ghostrouter calibrate` does, on the forced view of `models.traces`.
"""

import argparse
from pathlib import Path

from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000, fit
from ghostrouter.traces.read import as_trace
from models import questions
from models.traces import FOLDER, TraceRecorder

NAMES = ("ghost-small", "ghost-large")


def main() -> None:
    """Calibrate the named models (default: all that have a calibration)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--n", type=int, default=2000, help="validation questions")
    parser.add_argument("--false-alarms-per-1000", type=float, default=FALSE_ALARMS_PER_1000, help="tokens")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    args = parser.parse_args()
    if unknown := set(args.names) - set(NAMES):
        parser.error(f"there is no model {', '.join(unknown)}")
    asked = questions.sample("validation", 1, args.n)
    for name in args.names or NAMES:
        traces = [as_trace(line) for line in TraceRecorder(args.folder / name).forced(asked)]
        words = f"{args.n} validation questions of models.questions, seed 1, forced view"
        fitted = fit(name, traces, args.false_alarms_per_1000, words)
        path = args.folder / name / "calibration.json"
        fitted.calibration.save(path)
        print(f"{path}: {fitted}")


if __name__ == "__main__":
    main()
