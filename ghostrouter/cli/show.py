"""The output of the commands: answers go to stdout, everything else to stderr."""

import json
import re
import sys
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ghostrouter.cli import exits
from ghostrouter.cli.client import Refused

# Control characters, which a terminal would execute.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOURS = {"complete": "green", "failed": "red", "running": "yellow", "queued": "yellow", "healthy": "green"}


def printable(text: str) -> str:
    """A text without control characters, if stdout is a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) if sys.stdout.isatty() else text


def as_json(body: Any) -> None:
    """Print a body as JSON."""
    click.echo(json.dumps(body, indent=2, ensure_ascii=False))


def refused(refusal: Refused, want_json: bool) -> int:
    """Print an error; returns the exit status."""
    if want_json:
        as_json(refusal.body)
    for error in refusal.body["errors"]:
        details = f" {json.dumps(error['details'])}" if error.get("details") else ""
        click.echo(f"{click.style(error['code'], fg='red')}: {_safe(error['message'])}{_safe(details)}", err=True)
    return exits.of_refusal(refusal.status)


def result(body: dict[str, Any], want_json: bool) -> int:
    """Print the result of a call; returns the exit status."""
    if want_json:
        as_json(body)
        return exits.of_result(body)
    if body["answer"]:
        click.echo(printable(body["answer"]))
    for error in body["errors"]:
        click.echo(f"{click.style(error['code'], fg='red')}: {_safe(error['message'])}", err=True)
    if body["status"] in ("queued", "running"):
        click.echo(f"{body['status']}: ghostrouter result {body['job_id']} --poll", err=True)
    cut = ", cut short" if body["partial"] and body["answer"] else ""
    note(" · ".join(filter(None, [body["status"] + cut, _who(body["provenance"]), _seconds(body["provenance"])])))
    return exits.of_result(body)


def jobs(body: dict[str, Any]) -> None:
    """Print a list of jobs."""
    if not sys.stdout.isatty():
        for job in body["jobs"]:
            click.echo("\t".join((job["job_id"], job["status"], job["created_at"], job["call_id"])))
        return
    table = Table("job", "status", "created", "call", box=None, pad_edge=False, header_style="dim")
    widest = max((len(job["job_id"]) for job in body["jobs"]), default=0)  # to be copied whole
    for column, width in ((table.columns[0], widest), (table.columns[2], len("2026-01-01 00:00:00"))):
        column.no_wrap, column.min_width = True, width
    for job in body["jobs"]:
        colour = _COLOURS.get(job["status"], "white")
        table.add_row(job["job_id"], f"[{colour}]{job['status']}[/]", _local(job["created_at"]), _safe(job["call_id"]))
    Console(highlight=False).print(table if body["jobs"] else "[dim]no jobs[/]")


def health(body: dict[str, Any]) -> int:
    """Print the health of the service; returns the exit status."""
    well = body["status"] == "healthy"
    click.echo(f"{click.style(body['status'], fg='green' if well else 'red')}  version {body['version']}")
    click.echo(f"since   {_local(body['started_at'])}")
    counts = ", ".join(f"{n} {status}" for status, n in body["jobs"]["by_status"].items() if n)
    click.echo(f"jobs    {counts or 'none'} (at most {body['jobs']['max_jobs']} are kept)")
    return exits.OK if well else exits.NO_SERVICE


def status(body: dict[str, Any]) -> None:
    """Print which models can answer, and what each route would try now."""
    breakers = body["breakers"] or {}
    for name, model in body["models"].items():
        _line("model", name, f"ready, {model['running']} running" if model["ready"] else "not ready", model["ready"])
    for name, breaker in breakers.items():
        told = f"{breaker['provider']}, breaker {breaker['state']}, {breaker['bad']} of {breaker['calls']} calls failed"
        if breaker["state"] != "closed":
            told += f", next try in {breaker['retry_after_s']:.0f} s"
        _line("cloud", name, told, breaker["state"] == "closed")
    for name, route in body["routes"].items():
        tried = " → ".join(route["tried"]) or "no model can answer"
        missing = [m for m in route["models"] if m not in route["tried"]]
        _line("route", name, tried + (f", without {', '.join(missing)}" if missing else ""), not missing)


def _line(kind: str, name: str, told: str, is_well: bool) -> None:
    click.echo(f"{kind:<7} {_safe(name):<24} {click.style(_safe(told), fg='green' if is_well else 'red')}")


def written_by(ghost: dict[str, Any]) -> str:
    """The models that wrote an answer, in one line."""
    parts = [f"{s['model']} {s['tokens']} tokens" for s in ghost.get("segments", []) if s["tokens"]]
    return _way(parts)


def note(text: str) -> None:
    """Print a note about an answer to stderr."""
    click.echo(click.style(_safe(text), dim=True), err=True)


def _who(provenance: dict[str, Any]) -> str:
    """The models that were tried, or the requested model."""
    attempts = ((provenance.get("raw") or {}).get("trace") or {}).get("attempts")
    return _way([a["model_alias"] for a in attempts]) if attempts else str(provenance["model_alias"])


def _way(steps: list[str]) -> str:
    return " → ".join(steps)


def _safe(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).replace("\n", " ")


def _local(iso: str) -> str:
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _seconds(provenance: dict[str, Any]) -> str:
    if not provenance.get("finished_at"):
        return ""
    began, ended = (datetime.fromisoformat(provenance[k]).astimezone(UTC) for k in ("started_at", "finished_at"))
    return f"{(ended - began).total_seconds():.1f} s"
