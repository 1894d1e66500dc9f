"""The commands that call the service: call, run, result, jobs, cancel, health."""

import json
import sys
import time
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import click

from ghostrouter.api.call_words import Determinism, IntentClass, TrustTier, Verbosity
from ghostrouter.cli import client, exits, show
from ghostrouter.cli.client import Refused, Service
from ghostrouter.events.records import STATUSES
from ghostrouter.providers.sse import SseParser

_NOBODY = "00000000-0000-0000-0000-000000000000"
_PATIENCE_S = 30.0
# An answer may wait for its first token as long as a model takes to start.
_SILENCE_S = 300.0


def _text(value: str) -> str:
    """An argument; for `-` the standard input."""
    try:
        return sys.stdin.read() if value == "-" else value
    except UnicodeDecodeError:
        raise click.BadParameter("Standard input is not UTF-8.") from None


def _content(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise click.BadParameter(f"File '{file}' is not UTF-8.", param_hint="--context") from None


@click.command(epilog=exits.TABLE)
@click.option("--target", "-t", required=True, help="The model, or ghost/auto.")
@click.option("--prompt", "-p", required=True, help="The prompt; - reads it from standard input.")
@click.option("--context", "-c", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--intent", "-i", type=click.Choice(get_args(IntentClass)), default="unknown")
@click.option("--verbosity", "-v", type=click.Choice(get_args(Verbosity)), default="standard")
@click.option("--determinism", "-d", type=click.Choice(get_args(Determinism)), default="best_effort")
@click.option("--trust-tier", type=click.Choice(get_args(TrustTier)), default="standard")
@click.option("--tag", multiple=True, help="A capability the model must have.")
@click.option("--temperature", type=float)
@click.option("--top-p", type=float)
@click.option("--seed", type=int)
@click.option(
    "--timeout", "soft_ms", type=int, default=15_000, show_default=True, help="Milliseconds to wait for the answer."
)
@click.option(
    "--hard-timeout", "hard_ms", type=int, help="Milliseconds that the answer may take; default: 60000 or more."
)
@click.option("--call-id", help="A call that is sent twice with one id is answered once.")
@click.option("--handle", default="cli_user", show_default=True)
@click.option("--account-id", default=_NOBODY)
@client.options
def call(url: str, api_key: str | None, as_json: bool, soft_ms: int, **asked: Any) -> None:
    """Send a call. It becomes a job if it takes longer than --timeout."""
    timeouts = {"soft_ms": soft_ms, "hard_ms": asked.pop("hard_ms") or max(60_000, soft_ms)}
    body = _call(asked, timeouts)
    try:
        result = Service(url, api_key).ask("POST", "/call", client.RESULT, body, soft_ms / 1000 + _PATIENCE_S)
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    raise SystemExit(show.result(result, as_json))


def _call(asked: dict[str, Any], timeouts: dict[str, int]) -> dict[str, Any]:
    """The request body."""
    params = {k: asked[k] for k in ("temperature", "top_p", "seed") if asked[k] is not None}
    body: dict[str, Any] = {
        "caller": {"handle": asked["handle"], "account_id": asked["account_id"]},
        "intent": {"class": asked["intent"]},
        "target": {
            "type": "model",
            "alias": asked["target"],
            "trust_tier": asked["trust_tier"],
            "capability_tags": list(asked["tag"]),
        },
        "prompt": _text(asked["prompt"]),
        "context": [{"part_id": p.name[:64], "content": _content(p)} for p in asked["context"]],
        "params": params,
        "options": {
            "verbosity": asked["verbosity"],
            "determinism": asked["determinism"],
            "timeouts": timeouts,
        },
    }
    return {**body, "call_id": asked["call_id"]} if asked["call_id"] else body


@click.command(epilog=exits.TABLE)
@click.argument("model")
@click.argument("prompt")
@client.options
def run(url: str, api_key: str | None, as_json: bool, model: str, prompt: str) -> None:
    """Send PROMPT to MODEL, and print the answer as it comes. With - the prompt is read from standard input."""
    body = {"model": model, "messages": [{"role": "user", "content": _text(prompt)}], "stream": True}
    service = Service(url, api_key)
    try:
        with service.stream("/v1/chat/completions", body, _SILENCE_S) as parts:
            answer = _Answer(quiet=as_json)
            parser = SseParser()
            for part in parts:
                try:
                    for event in parser.push(part):
                        answer.push(event.data)
                except (ValueError, TypeError, KeyError, AttributeError):
                    raise service.stranger() from None
        status = answer.end()
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    raise SystemExit(status)


class _Answer:
    """Prints a streamed answer piece by piece; with `quiet`, as JSON at its end."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._text = ""
        self._told: dict[str, Any] = {"id": None, "model": None, "finish_reason": None, "error": None, "ghost": {}}

    def push(self, data: str) -> None:
        if data == "[DONE]":
            return
        event = json.loads(data)
        for key in ("id", "model", "error", "ghost"):
            self._told[key] = event.get(key) or self._told[key]
        for choice in event.get("choices", ()):
            self._told["finish_reason"] = choice.get("finish_reason") or self._told["finish_reason"]
            piece = choice["delta"].get("content") or ""
            self._text += piece
            if piece and not self._quiet:
                click.echo(show.printable(piece), nl=False)

    def end(self) -> int:
        """Print the end of the answer; returns the exit status."""
        error, finish, ghost = self._told["error"], self._told["finish_reason"], self._told["ghost"]
        if finish is None and not error:
            error = self._told["error"] = {"message": "the answer broke off"}
        elif finish not in (None, "stop", "length"):
            error = error or {"message": f"the answer ended with {finish}"}
        if self._quiet:
            show.as_json({**self._told, "answer": self._text})
        else:
            click.echo()
            if error:
                click.echo(f"{click.style('failed', fg='red')}: {error['message']}", err=True)
            show.note(show.written_by(ghost) + (", cut short" if finish == "length" else ""))
        if error or finish is None:
            return exits.FAILED
        return {"stop": exits.OK, "length": exits.PARTIAL}.get(finish, exits.FAILED)


@click.command(epilog=exits.TABLE)
@click.argument("job_id")
@click.option("--poll", is_flag=True, help="Wait until the job has ended.")
@click.option("--poll-interval", type=click.FloatRange(0.05), default=1.0, show_default=True, help="Seconds.")
@client.options
def result(url: str, api_key: str | None, as_json: bool, job_id: str, poll: bool, poll_interval: float) -> None:
    """Print the result of a job."""
    service = Service(url, api_key)
    try:
        while True:
            body = service.ask("GET", f"/result/{quote(job_id, safe='')}", client.RESULT)
            if not poll or exits.of_result(body) != exits.NOT_FINISHED:
                break
            time.sleep(poll_interval)
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    raise SystemExit(show.result(body, as_json))


@click.command(epilog=exits.TABLE)
@click.argument("job_id")
@client.options
def cancel(url: str, api_key: str | None, as_json: bool, job_id: str) -> None:
    """Cancel a job. A job that has ended does not change."""
    try:
        body = Service(url, api_key).ask("POST", f"/jobs/{quote(job_id, safe='')}/cancel", client.RESULT)
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    show.result(body, as_json)


@click.command(epilog=exits.TABLE)
@click.option("--status", "-s", type=click.Choice(STATUSES))
@click.option("--limit", "-l", type=click.IntRange(1, 1000), default=20, show_default=True)
@client.options
def jobs(url: str, api_key: str | None, as_json: bool, status: str | None, limit: int) -> None:
    """List the newest jobs."""
    try:
        body = Service(url, api_key).ask("GET", "/jobs", client.JOBS, status=status, limit=limit)
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    show.as_json(body) if as_json else show.jobs(body)


@click.command(epilog=exits.TABLE)
@client.options
def health(url: str, api_key: str | None, as_json: bool) -> None:
    """Show the health of the service, of its models, and what each route would try now.

    Models and routes are shown to keys with the scope `admin`.
    """
    service = Service(url, api_key)
    try:
        body = service.ask("GET", "/health", client.HEALTH)
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, as_json)) from None
    try:
        status = service.ask("GET", "/v1/status", client.STATUS)
    except Refused:
        status = {}
    if as_json:
        show.as_json(body | status)
        raise SystemExit(exits.OK if body["status"] == "healthy" else exits.NO_SERVICE)
    code = show.health(body)
    if status:
        show.status(status)
    raise SystemExit(code)
