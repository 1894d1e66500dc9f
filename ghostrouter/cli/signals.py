"""`ghostrouter calibrate`, `ghostrouter traces record`, `ghostrouter bench signals`."""

import json
import math
from pathlib import Path
from typing import Any

import click

from ghostrouter.cli import client
from ghostrouter.errors import GhostRouterError

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
    "--detector", help="use this detector instead of choosing one by the traces: hazard (learned), level, window, ..."
)
@click.option("--out", type=_FILE, help="default: MODEL.calibration.json")
def calibrate(model: str, path: Path, false_alarms_per_1000: float, detector: str | None, out: Path | None) -> None:
    """Fit a detector and its thresholds to labelled traces, and print what it finds."""
    from ghostrouter.detect.choose import LEARNED
    from ghostrouter.detect.fit import fit  # scikit-learn: a second to import
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
        fitted = fit(model, traces, false_alarms_per_1000, f"{len(traces)} traces of {path.name}", detector)
    except GhostRouterError as error:
        raise _Refused(error) from error
    target = out or Path(f"{model}.calibration.json")
    fitted.calibration.save(target)
    click.echo(f"{target}: {fitted}")


@click.group()
def traces() -> None:
    """Labelled traces."""


@traces.command()
@click.option("--questions", "path", required=True, type=_FILE, help='JSON lines: {"prompt": ..., "answer": ...}')
@click.option("--model", required=True, help="a model of the service")
@client.address
@click.option("--out", required=True, type=_FILE)
@click.option("--max-tokens", default=512, show_default=True, type=click.IntRange(1))
@click.option(
    "--text-only", is_flag=True, help="record the text alone; this is the default for models without log-probabilities"
)
def record(path: Path, model: str, url: str, api_key: str | None, out: Path, max_tokens: int, text_only: bool) -> None:
    """Ask the running service, and label each answer with its first token that differs from the right answer."""
    from ghostrouter.traces.record import record_file

    try:
        count = record_file(path, out, url, model, max_tokens, text_only, client.headers(api_key))
    except GhostRouterError as error:
        raise _Refused(error) from error
    click.echo(f"{out}: {count} traces")


@click.command()
@click.option("--traces", "path", required=True, type=_FILE, help="labelled traces to measure on, see docs/traces.md")
@click.option("--train", type=_FILE, help="traces to learn from; default: grouped cross-validation")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def signals(path: Path, train: Path | None, as_json: bool) -> None:
    """Measure how well each detector finds where answers go wrong. Length and position are baselines."""
    from ghostrouter.detect.evaluate import compare
    from ghostrouter.traces.read import read

    try:
        result = compare(read(path), read(train) if train else None)
    except GhostRouterError as error:
        raise _Refused(error) from error
    plain = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in result.items()}
    click.echo(json.dumps(plain, indent=2) if as_json else _table(plain))


def _table(result: dict[str, Any]) -> str:
    width = max(map(len, result))
    shown = {k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in result.items()}
    return "\n".join(f"{k:<{width}}  {v}" for k, v in shown.items())
