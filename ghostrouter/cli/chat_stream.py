"""Show an answer as it comes: its tokens shaded by risk, and the seams between its models."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from ghostrouter.cli.client import Service
from ghostrouter.cli.show import printable
from ghostrouter.providers.sse import SseParser

_RISKY, _VERY_RISKY = 0.2, 0.5
_SILENCE_S = 300.0


@dataclass(slots=True)
class Shown:
    """What was shown of an answer. `error` is "" if it ended well."""

    text: str = ""
    ghost: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    error: str = "the answer broke off"


def stream(service: Service, console: Console, body: dict[str, Any]) -> Shown:
    """Ask, and print the answer while it comes. Without colours, seams are marked by a bar and the model's name.

    Raises:
        Refused: there is no answer, or the server is not GhostRouter.
    """
    shown = Shown()
    asked = {**body, "stream": True, "ghost": {**body.get("ghost", {}), "signals": True}}
    with service.stream("/v1/chat/completions", asked, _SILENCE_S) as parts:
        try:
            for event in _events(parts):
                shown.id = event.get("id") or shown.id
                ghost = event.get("ghost") or {}
                if error := event.get("error"):
                    shown.error = error["message"]
                if "segments" in ghost:
                    shown.ghost = ghost
                if "seam" in ghost:
                    console.print(Text(f" |{ghost['seam']['to']}| ", style="bold"), end="", soft_wrap=True)
                for choice in event.get("choices", ()):
                    piece = choice["delta"].get("content") or ""
                    shown.text += piece
                    if choice.get("finish_reason"):
                        shown.error = ""
                    _print(console, piece, ghost.get("signals") or ())
        except (ValueError, TypeError, KeyError, AttributeError):
            raise service.stranger() from None
    console.print()
    return shown


def _print(console: Console, piece: str, signals: Any) -> None:
    """Print a piece of text: token by token if their texts are those of the piece."""
    tokens = [(s["text"], s.get("risk")) for s in signals]
    if "".join(t for t, _ in tokens) != piece:
        tokens = [(piece, None)]
    for text, risk in tokens:
        console.print(Text(printable(text), style=shade(risk)), end="", soft_wrap=True)
    console.file.flush()


def shade(risk: float | None) -> str:
    """The style of a token. Models without a calibration have no risks."""
    if risk is None:
        return ""
    if risk < _RISKY:
        return "dim"
    return "red" if risk < _VERY_RISKY else "bold red"


def _events(parts: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    parser = SseParser()
    for part in parts:
        for event in parser.push(part):
            if event.data != "[DONE]":
                yield json.loads(event.data)
