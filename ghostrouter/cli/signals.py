"""`ghostrouter calibrate`, `ghostrouter traces record`, `ghostrouter bench signals`."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from ghostrouter.cli import client
from ghostrouter.errors import GhostRouterError

_PER_100_ANSWERS = 5.0
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Refused(click.ClickException):
    """One line on stderr, exit status 1."""

    def __init__(self, error: GhostRouterError) -> None:
        super().__init__(str(error).replace("\n", " "))


@click.command()
@click.option("--model", required=True, help="the model to calibrate; traces of other models are an error")
@click.option("--traces", "path", required=True, type=_FILE, help="labelled traces, see docs/traces.md")
@click.option("--false-alarms-per-1000", default=12.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option(
    "--false-alarms-per-100-answers",
    type=click.FloatRange(0, 100, min_open=True),
    help="judge whole answers, and promise that of 100 right ones at most so many alarm; "
    "default: 5, if the traces tell of no wrong answer where it went wrong",
)
@click.option(
    "--detector", help="use this detector instead of choosing one by the traces: hazard (learned), level, window, ..."
)
@click.option("--out", type=_FILE, help="default: MODEL.calibration.json")
def calibrate(
    model: str,
    path: Path,
    false_alarms_per_1000: float,
    false_alarms_per_100_answers: float | None,
    detector: str | None,
    out: Path | None,
) -> None:
    """Fit a detector and its thresholds to labelled traces, and print what it finds."""
    from ghostrouter.detect.choose import LEARNED
    from ghostrouter.detect.fit import fit, fit_answers, with_answers  # scikit-learn: a second to import
    from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
    from ghostrouter.errors import TraceInvalid
    from ghostrouter.traces.read import read

    names = (LEARNED, *FIXED_DETECTORS)
    if detector is not None and detector not in names:
        raise click.BadParameter(f"there is no {detector}; there are {', '.join(names)}", param_hint="--detector")
    try:
        traces = read(path)
        if others := sorted({t.model for t in traces} - {model}):
            raise TraceInvalid(f"{path}: traces of {', '.join(others)}, not of {model}")
        source = f"{len(traces)} traces of {path.name}"
        if not any(t.spans for t in traces) and any(t.wrong for t in traces):
            if detector is not None:
                raise TraceInvalid(f"{path}: no trace tells where an answer went wrong, so no detector can be fitted")
            fitted = fit_answers(model, traces, false_alarms_per_100_answers or _PER_100_ANSWERS, source)
        else:
            fitted = fit(model, traces, false_alarms_per_1000, source, detector)
            if false_alarms_per_100_answers is not None:
                fitted = with_answers(fitted, traces, false_alarms_per_100_answers)
    except GhostRouterError as error:
        raise _Refused(error) from error
    target = out or Path(f"{model}.calibration.json")
    fitted.calibration.save(target)
    click.echo(f"{target}: {fitted}")


@click.group()
def traces() -> None:
    """Labelled traces."""


@traces.command()
@click.option(
    "--questions", "path", required=True, type=_FILE, help='JSON lines: {"prompt": ..., "answer": ..., "check": ...}'
)
@click.option("--model", required=True, help="a model of the service")
@client.address
@click.option("--out", required=True, type=_FILE, help="a file that exists is gone on with")
@click.option("--max-tokens", default=512, show_default=True, type=click.IntRange(1))
@click.option(
    "--text-only", is_flag=True, help="record the text alone; this is the default for models without log-probabilities"
)
@click.option(
    "--check",
    help="how to tell right answers: number, choice, regex, json-schema, python:MODULE:FUNCTION, judge:MODEL, "
    "agrees:MODEL; default: the text must be that of the question's answer",
)
@click.option("--rescue-by", metavar="MODEL", help="find up to where this model still puts wrong answers right")
def record(
    path: Path,
    model: str,
    url: str,
    api_key: str | None,
    out: Path,
    max_tokens: int,
    text_only: bool,
    check: str | None,
    rescue_by: str | None,
) -> None:
    """Ask the running service, and label each answer: right or wrong by a check, or with its first wrong token."""
    from ghostrouter.traces.record import read_questions
    from ghostrouter.traces.recorder import Recording, lines_of, record_file

    try:
        if rescue_by and not check:
            raise click.UsageError("--rescue-by needs a --check")
        asked = read_questions(path)
        recording = Recording(model, max_tokens, text_only, check, rescue_by)
        begun = len(lines_of(out))
        with click.progressbar(length=len(asked), label=f"asking {model}", file=sys.stderr, show_pos=True) as bar:
            bar.update(begun)
            for _ in record_file(asked, out, url, recording, client.headers(api_key)):
                bar.update(1)
        written = lines_of(out)
    except GhostRouterError as error:
        raise _Refused(error) from error
    click.echo(f"{out}: {len(written)} traces, {sum(line.is_wrong for line in written)} of them wrong")


@click.command()
@click.option("--traces", "path", required=True, type=_FILE, help="labelled traces to measure on, see docs/traces.md")
@click.option("--train", type=_FILE, help="traces to learn from; default: grouped cross-validation")
@click.option("--calibration", type=_FILE, help="also tell how many right and wrong answers this calibration alarms on")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def signals(path: Path, train: Path | None, calibration: Path | None, as_json: bool) -> None:
    """Measure how well wrong answers are told from right ones, and how well detectors find where they go wrong.

    Controls that know less are measured beside them: length, position, four features, the text alone.
    """
    from ghostrouter.detect.alarmed import alarmed
    from ghostrouter.detect.calibration import Calibration
    from ghostrouter.detect.evaluate import compare
    from ghostrouter.traces.read import read

    try:
        measured = read(path)
        result = compare(measured, read(train) if train else None)
        if calibration:
            result |= alarmed(Calibration.load(calibration), measured)
    except GhostRouterError as error:
        raise _Refused(error) from error
    plain = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in result.items()}
    click.echo(json.dumps(plain, indent=2) if as_json else _table(plain))


def _table(result: dict[str, Any]) -> str:
    width = max(map(len, result))
    shown = {k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in result.items()}
    return "\n".join(f"{k:<{width}}  {v}" for k, v in shown.items())
