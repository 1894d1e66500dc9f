"""`ghostrouter chat`: an interactive session."""

import base64
import mimetypes
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ghostrouter.cli import client, exits, show, stats
from ghostrouter.cli.chat_stream import Shown, stream
from ghostrouter.cli.client import Refused, Service

_OBSERVED = 20
_OBSERVE_EVERY = 5
_HELP = """/stats            accuracy by task and model, from the event store
/health           the service, its models and breakers
/analyze          what goes wrong systematically, from the event store
/observer         a model reads the last traces and tells what it sees
/route TEXT       the routing decision for a text
/model [NAME]     show or change the model
/help, /quit
@image FILE TEXT  ask about a picture
After an answer: y (good), n (bad; then which model), Enter (skip)."""


@click.command(epilog=exits.TABLE)
@click.argument("question", required=False)
@click.option("--model", default="ghost/auto", show_default=True)
@click.option("--config", default="serve_config.yaml", show_default=True, help="For /stats and /analyze.")
@click.option("--health", "only_health", is_flag=True, help="Show the health of the service, and end.")
@click.option("--analyze", "only_analyze", is_flag=True, help="Show what goes wrong systematically, and end.")
@click.option(
    "--days", type=click.FloatRange(0, min_open=True), default=7.0, show_default=True, help="For the analysis."
)
@click.option("--no-feedback", is_flag=True, help="Do not ask how good an answer is.")
@click.option("--no-health-check", is_flag=True, help="Do not ask for the service's health at the start.")
@click.option(
    "--confidence-threshold",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Ask for the task if the classifier is less certain of it.",
)
@click.option(
    "--observer-active/--observer-passive", help="Let the observer speak after every five answers, or when asked."
)
@client.address
def chat(
    url: str, api_key: str | None, question: str | None, only_health: bool, only_analyze: bool, **asked: Any
) -> None:
    """Talk with the service. Risky tokens are shaded; a bar marks where another model went on.

    With QUESTION, or from a pipe (one question a line), it answers and ends. /help lists the commands.
    """
    session = _Chat(Service(url, api_key), **asked)
    try:
        if only_health or only_analyze:
            raise SystemExit(session.command("/health" if only_health else "/analyze"))
        raise SystemExit(session.run(question))
    except Refused as refusal:
        raise SystemExit(show.refused(refusal, want_json=False)) from None


class _Chat:
    def __init__(
        self,
        service: Service,
        model: str,
        config: str,
        days: float,
        no_feedback: bool,
        no_health_check: bool,
        confidence_threshold: float,
        observer_active: bool,
    ) -> None:
        self._service = service
        self._model = model
        self._config = Path(config)
        self._days = days
        self._interactive = _is_terminal()
        self._asks_feedback = self._interactive and not no_feedback
        self._checks_health = self._interactive and not no_health_check
        self._threshold = confidence_threshold
        self._observes = observer_active
        self._console = Console(highlight=False, soft_wrap=True)
        self._messages: list[dict[str, Any]] = []
        self._answers = 0
        self._commands: dict[str, Callable[[str], int]] = {
            "/stats": self._stats,
            "/health": self._health,
            "/analyze": self._analyze,
            "/observer": self._observer,
            "/route": self._route,
            "/model": self._change_model,
            "/help": self._help,
        }

    def run(self, question: str | None) -> int:
        """Answer one question, or all of the input. Returns the exit status of the last answer."""
        if question is not None:
            return self._answer(question)
        if self._checks_health and self._health("") != exits.OK:
            show.note("the service is not healthy; answers may fail")
        status = exits.OK
        while (line := self._line("> ")) is not None and line != "/quit":
            if not line:
                continue
            try:
                status = self.command(line) if line.startswith("/") else self._answer(line)
            except Refused as refusal:
                status = show.refused(refusal, want_json=False)
        return status

    def command(self, line: str) -> int:
        """Run a command such as `/route TEXT`."""
        name, _, rest = line.partition(" ")
        found = self._commands.get(name)
        if found is None:
            show.note(f"there is no command {name}; /help lists them")
            return exits.WRONG_INPUT
        return found(rest.strip())

    def _line(self, prompt: str) -> str | None:
        """The next line of the input; None at its end. Nothing is printed into a pipe."""
        try:
            return input(prompt if self._interactive else "").strip()
        except EOFError:
            return None

    def _answer(self, line: str) -> int:
        try:
            content = _content(line)
        except (OSError, ValueError) as error:
            show.note(f"no picture: {error}")
            return exits.WRONG_INPUT
        self._messages.append({"role": "user", "content": content})
        model = self._model_for(line) if self._threshold and self._interactive else self._model
        try:
            shown = stream(self._service, self._console, {"model": model, "messages": self._messages})
        except Refused:
            self._messages.pop()  # it can be asked again
            raise
        if shown.error:
            self._messages.pop()
            show.note(f"failed: {shown.error}")
            return exits.FAILED
        self._messages.append({"role": "assistant", "content": shown.text})
        show.note(f"{show.written_by(shown.ghost)} · ${shown.ghost.get('cost_usd') or 0:.5f} · {shown.id}")
        if self._asks_feedback:
            self._feedback(shown)
        self._answers += 1
        if self._observes and self._answers % _OBSERVE_EVERY == 0:
            self._observer("")
        return exits.OK

    def _model_for(self, line: str) -> str:
        """The model to ask; if the classifier is not certain of the task, the caller says which it is."""
        if not self._model.startswith("ghost/"):
            return self._model
        found = self._decision(line)
        label = found.get("classification") or {}
        if label.get("confidence", 1.0) >= self._threshold:
            return self._model
        tasks = list(dict.fromkeys([label["task"], *(n["task"] for n in label.get("nearest", ()))]))
        show.note(f"the task is unclear ({label['confidence']:.2f}): {', '.join(tasks)}")
        task = self._line("task (Enter: as it is)? ")
        return f"ghost/{task}" if task else self._model

    def _feedback(self, shown: Shown) -> None:
        said = self._line("good? [y/n, Enter: skip] ")
        if said not in ("y", "n"):
            return
        body: dict[str, Any] = {"session": shown.id, "thumb": "up" if said == "y" else "down"}
        if said == "n" and (model := self._line("which model would have been right? [Enter: skip] ")):
            body["correct_model"] = model
        self._service.ask("POST", "/v1/feedback", ("id",), body)
        show.note("stored")

    def _decision(self, text: str) -> dict[str, Any]:
        body = {"model": self._model, "messages": [{"role": "user", "content": text}]}
        return self._service.ask("POST", "/v1/route", ("plan",), body)

    def _stats(self, rest: str) -> int:
        return _local(stats.stats, [str(self._config)])

    def _analyze(self, rest: str) -> int:
        return _local(stats.analyze, [str(self._config), "--days", str(self._days)])

    def _health(self, rest: str) -> int:
        status = show.health(self._service.ask("GET", "/health", client.HEALTH))
        show.status(self._service.ask("GET", "/v1/status", client.STATUS))
        return status

    def _route(self, rest: str) -> int:
        found = self._decision(rest or "?")
        label = found["classification"] or {"task": "-", "reason": "not classified"}
        click.echo(
            f"task {label['task']} ({label['reason']}); plan {' → '.join(found['plan'])}: {found['plan_reason']}"
        )
        return exits.OK

    def _change_model(self, rest: str) -> int:
        self._model = rest or self._model
        click.echo(self._model)
        return exits.OK

    def _help(self, rest: str) -> int:
        click.echo(_HELP)
        return exits.OK

    def _observer(self, rest: str) -> int:
        """Let the cheapest model read the last traces. They have no texts; what it says is only a model's opinion."""
        listed = self._service.ask("GET", "/v1/traces", ("data",), limit=_OBSERVED)["data"]
        lines = "\n".join(map(_observed, listed)) or "no answers yet"
        prompt = f"The last answers of a router of language models, newest first:\n{lines}\nName patterns, briefly."
        show.note("the observer, a model (it may be wrong):")
        body = {"model": "ghost/economy", "messages": [{"role": "user", "content": prompt}], "max_tokens": 200}
        return exits.FAILED if stream(self._service, self._console, body).error else exits.OK


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _observed(trace: dict[str, Any]) -> str:
    label = trace.get("classification") or {}
    models = " then ".join(s["model"] for s in trace.get("segments", ()))
    reasons = ", ".join(s["reason"] for s in trace.get("segments", ())[1:])
    outcome, task, usd = trace.get("outcome"), label.get("task", "none"), trace.get("cost_usd") or 0.0
    return f"task {task}, models {models}, changes: {reasons or 'none'}, outcome {outcome}, ${usd:.5f}"


def _content(line: str) -> Any:
    """The content of a message: text, or with `@image FILE` at the beginning also a picture.

    Raises:
        ValueError: the file is no picture, or its name does not end.
        OSError: it cannot be read.
    """
    if not line.startswith("@image "):
        return line
    _, name, *words = shlex.split(line)
    kind = mimetypes.guess_type(name)[0] or ""
    if not kind.startswith("image/"):
        raise ValueError(f"{name} is no picture")
    data = base64.b64encode(Path(name).read_bytes()).decode()
    picture = {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
    return [{"type": "text", "text": " ".join(words) or "What is this?"}, picture]


def _local(command: click.Command, arguments: list[str]) -> int:
    """Run another command; returns its exit status."""
    try:
        command.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        show.note(error.format_message())
        return exits.WRONG_INPUT
    except SystemExit as end:
        return int(end.code or 0)
    return exits.OK
