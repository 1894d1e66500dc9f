"""One run of Weights & Biases with what the event store, a calibration and data sets have."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ghostrouter.detect.reliability import Bin
from ghostrouter.events.records import Event

SESSION_COLUMNS = (
    *("session", "at_s", "outcome", "task", "models", "handoffs", "tokens"),
    *("cost_usd", "router_ms", "ttft_ms", "duration_ms"),
)
FEEDBACK_COLUMNS = ("session", "at_s", "ratings")


def session_row(event: Event) -> list[Any]:
    """A trace as a row of the table of sessions (`SESSION_COLUMNS`)."""
    body: Mapping[str, Any] = event.body
    segments: Sequence[Mapping[str, Any]] = body.get("segments") or ()
    return [
        event.session,
        event.at_s,
        body.get("outcome"),
        (body.get("classification") or {}).get("task"),
        " -> ".join(segment["model"] for segment in segments),
        body.get("handoffs"),
        body.get("completion_tokens"),
        body.get("cost_usd"),
        body.get("router_ms"),
        segments[0]["ttft_ms"] if segments else None,
        body.get("duration_ms"),
    ]


def _numbers(body: Mapping[str, Any]) -> dict[str, float | bool]:
    """Ratings without comments and better answers: no text of a caller leaves."""
    return {name: value for name, value in body.items() if isinstance(value, int | float)}


class WandbRun:
    """A run that is open until `finish`. `wandb` reads its own variables, such as WANDB_MODE and WANDB_API_KEY.

    Raises:
        ImportError: wandb is not installed (`pip install "ghostrouter[wandb]"`).
    """

    def __init__(self, project: str, folder: Path) -> None:
        import wandb  # an extra, and slow to import

        self._wandb = wandb
        self._run: Any = wandb.init(project=project, dir=str(folder), job_type="ghostrouter")

    def log_events(self, events: Iterable[Event]) -> int:
        """Log traces as the table `sessions`, and feedback as the table `feedback`. Returns the number of sessions."""
        sessions: list[list[Any]] = []
        feedback: list[list[Any]] = []
        for event in events:
            if event.kind == "trace":
                sessions.append(session_row(event))
            elif event.kind == "feedback":
                feedback.append([event.session, event.at_s, str(_numbers(event.body))])
        self._log_table("sessions", SESSION_COLUMNS, sessions)
        self._log_table("feedback", FEEDBACK_COLUMNS, feedback)
        return len(sessions)

    def log_reliability(self, model: str, curve: Sequence[Bin]) -> None:
        """Log the reliability curve of a model's calibration, as a table and as a plot of it."""
        table = self._wandb.Table(columns=list(Bin._fields), data=[list(found) for found in curve])
        title = f"{model}: share of wrong tokens by risk"
        plot = self._wandb.plot.line(table, "risk", "wrong", title=title)
        self._run.log({f"reliability/{model}": plot, f"reliability_table/{model}": table})

    def log_data_set(self, file: Path) -> None:
        """Log a file as an artifact."""
        artifact = self._wandb.Artifact(file.stem, type="dataset")
        artifact.add_file(str(file))
        self._run.log_artifact(artifact)

    def finish(self) -> None:
        """Send what is left, close the run, and end the process that wandb has started to write it."""
        self._run.finish()
        self._wandb.teardown()

    def _log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._run.log({name: self._wandb.Table(columns=list(columns), data=[list(row) for row in rows])})
