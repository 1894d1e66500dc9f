"""A streaming client that shows in colours which model wrote what.

    python examples/chat.py "Who was Xenia Farrow? Give teacher, home, work, birth, trade."
    python examples/chat.py            # reads questions until Ctrl-D

Any OpenAI client can stream the text. With `"ghost": {"signals": true}` each chunk also has the signals of its tokens:
risky tokens are shown in red as they come. At the end the answer is shown once more, in the colours of its models; they
come from the `ghost` object of the last chunk.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from openai import OpenAI
from rich.console import Console
from rich.text import Text

COLOURS = ("cyan", "magenta", "yellow", "green")
RISKY, VERY_RISKY = 0.2, 0.5


def stream(client: OpenAI, console: Console, model: str, question: str) -> tuple[str, dict[str, Any]]:
    """Print an answer as it comes; returns its text and its `ghost` object."""
    answer = ""
    ghost: dict[str, Any] = {}
    chunks = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        stream=True,
        extra_body={"ghost": {"signals": True}},
    )
    for chunk in chunks:
        ghost = getattr(chunk, "ghost", None) or {}
        answer += chunk.choices[0].delta.content or ""
        for token in ghost.get("signals", ()):
            console.print(Text(token["text"], style=shade(token["risk"])), end="", soft_wrap=True)
        if "seam" in ghost:
            console.print(Text("|", style="bold"), end="", soft_wrap=True)
        console.file.flush()
    console.print()
    return answer, ghost


def shade(risk: float | None) -> str:
    """The style of a token. Models without a calibration have no risks."""
    if risk is None or risk < RISKY:
        return "dim"
    return "red" if risk < VERY_RISKY else "bold red"


def show(console: Console, answer: str, ghost: dict[str, Any]) -> None:
    """Print the answer in the colours of its models, and one line per segment."""
    segments = ghost.get("segments")
    if not isinstance(segments, list):
        return
    models = list(dict.fromkeys(s["model"] for s in segments))
    colour = {model: COLOURS[i % len(COLOURS)] for i, model in enumerate(models)}
    text = Text()
    for s in segments:
        begin, end = s["characters"]
        text.append(answer[begin:end], style=colour[s["model"]])
    console.print(text)
    for s in segments:
        line = Text(f"  {s['model']:<12}", style=colour[s["model"]])
        line.append(f" {s['tokens']:>4} tokens  {s['reason']}", style="dim")
        if s["stall_ms"] is not None:
            seam = f"{s['detail']}, stall {s['stall_ms']:.0f} ms, {s['rollback_tokens']} rolled back"
            line.append(f"  {seam}", style="dim")
        console.print(line)


def main() -> None:
    """Ask once, or until the end of the input."""
    parser = argparse.ArgumentParser(description="Chat with GhostRouter and see which model wrote what.")
    parser.add_argument("question", nargs="?")
    parser.add_argument("--model", default="ghost/auto")
    parser.add_argument("--svg", metavar="FILE", help="save a picture of the terminal")
    parser.add_argument("--url", default=os.environ.get("GHOSTROUTER_URL", "http://127.0.0.1:8000"))
    args = parser.parse_args()
    client = OpenAI(base_url=f"{args.url}/v1", api_key=os.environ.get("GHOSTROUTER_API_KEY", "none"))
    console = Console(highlight=False, record=bool(args.svg), width=100 if args.svg else None)
    questions = [args.question] if args.question else (line.strip() for line in sys.stdin)
    if not args.question and sys.stdin.isatty():
        console.print("Ask something (Ctrl-D ends):", style="dim")
    for question in questions:
        if question:
            show(console, *stream(client, console, args.model, question))
    if args.svg:
        drawn = console.export_svg(title="GhostRouter")
        drawn = re.sub(r"@font-face {.*?}\s*", "", drawn, flags=re.DOTALL)  # no font from the network
        Path(args.svg).write_text(drawn)


if __name__ == "__main__":
    main()
