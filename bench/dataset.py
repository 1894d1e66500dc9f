"""Do exported data sets load where they are used? `datasets` reads them, and TRL trains a shipped model on them.

    make bench NAME=dataset

Made-up sessions go into an event store, and `ghostrouter export` writes the data sets. An environment with `datasets`
and TRL, made at the first run, trains three steps on each as it was written. The losses show that TRL understands the
columns; three steps teach nothing.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import yaml
from click.testing import CliRunner

from bench import dataset_trl
from bench.peer_environments import python_of
from bench.service import ROOT, write
from ghostrouter.cli.main import main as ghostrouter
from ghostrouter.events.records import Event
from ghostrouter.events.store import Store

SESSIONS = 60
_MODEL = ROOT / "models" / "ghost-small"


def events(number: int) -> list[Event]:
    """A session whose first model was wrong: the answer was handed over, and the caller wrote a better one."""
    name, at_s = f"s{number}", 1.8e9 + number
    question = f"Otto has {number} coins, times 2. How many?"
    right, wrong = f"{number}*2={2 * number}", f"{number}*2={2 * number + 1}"
    segments = [
        {"model": "small", "reason": "plan", "text": "Well: ", "abandoned": wrong},
        {"model": "large", "reason": "handoff", "text": right, "abandoned": ""},
    ]
    request = {
        "turns": [{"role": "user", "digest": name, "characters": len(question)}],
        "messages": [{"role": "user", "content": question}],
        "answer": f"Well: {right}",
        "segments": segments,
    }
    trace = {"id": name, "outcome": "complete", "plan": ["small", "large"], "segments": segments[:]}
    told = {
        "rating": 1.0,
        "preferred": f"{right}; so {2 * number}.",
        "correct_task": "maths" if number % 2 else "coins",
    }
    return [
        Event(f"{name}/request", name, "request", "me", at_s, request),
        Event.trace("me", at_s, trace),
        Event.feedback(name, "me", at_s, told),
    ]


def main() -> None:
    python = python_of("trl", ("torch==2.13.0+cpu", *dataset_trl.PACKAGES))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store = Store(f"sqlite:///{home}/events.sqlite")
        store.write([event for number in range(SESSIONS) for event in events(number)])
        store.close()
        args = {
            "models": [{"name": "small", "source": str(_MODEL)}],
            "routes": {"default": {"models": ["small"]}},
            "events": {"folder": folder},
        }
        config = home / "c.yaml"
        config.write_text(yaml.safe_dump({"applications": [{"import_path": "graph:build", "args": args}]}))
        for name in ("dpo", "sft"):
            done = CliRunner().invoke(ghostrouter, ["export", name, str(config), "--out", str(home / name)])
            assert done.exit_code == 0, done.output
        command = [str(python), str(Path(dataset_trl.__file__)), str(home / "dpo"), str(home / "sft"), str(_MODEL)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert told.returncode == 0, told.stderr[-2000:]
        write("dataset", json.loads(told.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
