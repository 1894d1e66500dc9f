"""`ghostrouter events wandb`: send the event store, reliability curves and data sets to Weights & Biases."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from ghostrouter.cli import exits
from ghostrouter.cli.stored import stored
from ghostrouter.detect.reliability import Bin
from ghostrouter.errors import ConfigError, TraceInvalid

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("config", type=_FILE, default="serve_config.yaml")
@click.option("--project", default="ghostrouter", show_default=True, help="The project in Weights & Biases.")
@click.option("--since", type=click.DateTime(), help="Leave out older events.")
@click.option("--calibration", type=_FILE, help="Log how reliable the risks of this calibration are on --traces.")
@click.option("--traces", type=_FILE, help="Labelled traces for --calibration.")
@click.option("--dataset", "data_sets", type=_FILE, multiple=True, help="Log this file as an artifact.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path(), help="Where wandb keeps its files.")
def wandb(
    config: Path,
    project: str,
    since: Any,
    calibration: Path | None,
    traces: Path | None,
    data_sets: tuple[Path, ...],
    folder: Path,
) -> None:
    """Send the sessions and feedback of CONFIG's event store to Weights & Biases.

    WANDB_MODE=offline keeps them on disk.
    """
    from ghostrouter.cli.wandb_run import WandbRun

    if (calibration is None) != (traces is None):
        raise click.UsageError("--calibration and --traces belong together.")
    curve = _reliability(calibration, traces) if calibration and traces else None
    try:
        run = WandbRun(project, folder)
    except ImportError:
        click.echo('wandb is not installed: pip install "ghostrouter[wandb]"', err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    try:
        count = run.log_events(stored(config, since.timestamp() if since else 0.0))
        if curve:
            run.log_reliability(*curve)
        for file in data_sets:
            run.log_data_set(file)
    finally:
        run.finish()
    click.echo(f"{count} sessions")


def _reliability(calibration: Path, traces: Path) -> tuple[str, list[Bin]]:
    """A calibration's model and its curve on labelled traces."""
    from ghostrouter.detect.calibration import Calibration, Risk
    from ghostrouter.detect.evaluate import scores
    from ghostrouter.detect.reliability import reliability
    from ghostrouter.traces.read import read
    from ghostrouter.traces.trace import joined_labels

    try:
        found, lines = Calibration.load(calibration), read(traces)
    except (ConfigError, TraceInvalid) as error:
        click.echo(str(error), err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    labels = joined_labels(lines)
    known = ~np.isnan(labels)
    return found.model, reliability(np.concatenate(scores(Risk(found), lines))[known], labels[known] == 1)
