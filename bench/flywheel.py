"""Does serving make the small model better? Two turns of the loop: serve, export, tune, calibrate, serve again.

    make bench NAME=flywheel [SEED=1] [SEEDS=1] [N=200] [TRAIN=500] [EPOCHS=4] [LEARNING_RATE=0.003] [CALIBRATE=1000]

In each turn `ghost/auto` answers TRAIN questions of the training split, with `events.keep_texts`. The commands that
follow are those that a user would give. `ghostrouter export sft --of answers` writes what was answered: by the large
model where the small one handed off, and by the small one elsewhere, so that it forgets nothing. `ghostrouter train sft
--merge` tunes the shipped `ghost-small` on the data sets of all turns so far. The tuned model is calibrated anew on
questions of the validation split, as the shipped one was (`models/calibrate.py`), and takes its place.

In each turn the service then answers N held-out questions, whose answers are never exported. `accuracy_*` and
`large_token_share_*` are those of `ghost/auto`, `accuracy_small_*` is that of the small model alone: `before` the first
turn, `after_one` turn, and `after` both. `*_gain` is after less before, with a 95% interval over resampled questions.
Every seed draws other questions, and trains with another seed.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.seeds import SEEDS, summarised
from bench.service import GHOSTROUTER, ROOT, Answer, Client, server, write
from ghostrouter.confidence_intervals import Interval, Rows, interval
from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000, fit
from ghostrouter.traces.read import as_trace
from models import questions
from models.traces import TraceRecorder

N = int(os.environ.get("N", "200"))
TRAIN = int(os.environ.get("TRAIN", "500"))
CALIBRATE = int(os.environ.get("CALIBRATE", "1000"))
EPOCHS = os.environ.get("EPOCHS", "4")
LEARNING_RATE = os.environ.get("LEARNING_RATE", "0.003")
STAGES = ("before", "after_one", "after")
SMALL, LARGE = "ghost-small", "ghost-large"
SHIPPED = ROOT / "models" / SMALL
_PORT = 8130
_URL = f"http://127.0.0.1:{_PORT}"
_CONCURRENCY = 8
_DRAWS = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the held-out questions showed at one stage, question by question."""

    right: Sequence[bool]
    right_alone: Sequence[bool]
    tokens: Sequence[int]
    large_tokens: Sequence[int]

    def figures(self, rows: Rows) -> dict[str, float]:
        """The figures of some of the questions."""
        tokens = np.array(self.tokens)[rows].sum()
        return {
            "accuracy": float(np.array(self.right)[rows].mean()),
            "accuracy_small": float(np.array(self.right_alone)[rows].mean()),
            "large_token_share": float(np.array(self.large_tokens)[rows].sum() / tokens),
        }


def configuration(small: Path, home: Path) -> Path:
    """The shipped configuration with another small model. It keeps texts in the folder `home`."""
    wanted = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    args = wanted["applications"][0]["args"]
    args["models"][0] |= {"source": str(small), "calibration": str(small / "calibration.json")}
    args["events"] = {"folder": str(home), "keep_texts": True}
    wanted["http_options"]["port"] = _PORT
    path = home / "serve.yaml"
    path.write_text(yaml.safe_dump(wanted))
    return path


def command(*arguments: str) -> str:
    """Run a command of GhostRouter. What it prints."""
    done = subprocess.run([GHOSTROUTER, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"ghostrouter {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


async def ask(model: str, prompts: Sequence[str]) -> list[Answer]:
    """An answer to each prompt, in order."""
    async with Client(_URL, _CONCURRENCY) as client:
        return await client.ask_all(prompts, model=model, temperature=0)


def measure(asked: Sequence[questions.Question]) -> Asked:
    """The questions, answered by the service and by the small model alone."""
    prompts = [q.prompt for q in asked]
    ghost, alone = asyncio.run(ask("ghost/auto", prompts)), asyncio.run(ask(SMALL, prompts))

    def right(answers: Sequence[Answer]) -> list[bool]:
        return [questions.is_correct(q, a.text) for q, a in zip(asked, answers, strict=True)]

    segments = [a.ghost["segments"] for a in ghost]
    return Asked(
        right(ghost),
        right(alone),
        [sum(s["tokens"] for s in of) for of in segments],
        [sum(s["tokens"] for s in of if s["model"] == LARGE) for of in segments],
    )


def export(config: Path, prompts: Sequence[str], data: Path) -> Mapping[str, int]:
    """Let the service answer the prompts, and export the answers. The number of examples by kind."""
    asyncio.run(ask("ghost/auto", prompts))
    kept = ("events", "export", str(config), "--kind", "request")
    while len(command(*kept).splitlines()) < len(prompts):  # they are written in the background
        time.sleep(1)
    card = command("export", "sft", str(config), "--of", "answers", "--out", str(data), "--json")
    kinds: Mapping[str, int] = json.loads(card)["kinds"]
    return kinds


def tune(data: Sequence[Path], out: Path, seed: int) -> float:
    """Tune the shipped small model and calibrate it. The minutes that tuning took."""
    began_s = time.perf_counter()
    settings = ("--epochs", EPOCHS, "--learning-rate", LEARNING_RATE, "--seed", str(seed), "--merge")
    print(command("train", "sft", *map(str, data), "--model", str(SHIPPED), "--out", str(out), *settings), flush=True)
    minutes = (time.perf_counter() - began_s) / 60
    asked = questions.sample("validation", seed, CALIBRATE)
    traces = [as_trace(line) for line in TraceRecorder(out).forced(asked)]
    fitted = fit(SMALL, traces, FALSE_ALARMS_PER_1000, f"{CALIBRATE} validation questions, seed {seed}, forced view")
    fitted.calibration.save(out / "calibration.json")
    return minutes


def gain(first: Asked, last: Asked, name: str) -> Interval:
    """How much more a figure is at the last stage than at the first."""
    return interval(lambda rows: last.figures(rows)[name] - first.figures(rows)[name], range(N), _DRAWS)


def turns(seed: int, folder: Path) -> dict[str, Any]:
    """All figures of one seed."""
    held_out = questions.sample("test", seed, N)
    prompts = [q.prompt for q in questions.sample("train", 1000 + seed, TRAIN * (len(STAGES) - 1))]
    small, data, stages = SHIPPED, [], []
    examples = Counter[str]()
    minutes = 0.0
    for turn, stage in enumerate(STAGES):
        home = folder / stage
        home.mkdir()
        wanted = prompts[turn * TRAIN : (turn + 1) * TRAIN]
        config = configuration(small, home)
        with server([GHOSTROUTER, "serve", str(config)], f"{_URL}/healthz", "bench-flywheel"):
            kinds = export(config, wanted, home / "data") if wanted else {}
            measured = measure(held_out)
        stages.append(measured)
        print(f"  seed {seed}, {stage}: {measured.figures(np.arange(N))}", flush=True)
        examples.update(kinds)
        if wanted:
            data.append(home / "data")
            small = home / SMALL
            minutes += tune(data, small, seed)
    found: dict[str, Any] = {}
    for stage, measured in zip(STAGES, stages, strict=True):
        found |= {f"{name}_{stage}": value for name, value in measured.figures(np.arange(N)).items()}
    for name in stages[0].figures(np.arange(N)):
        found |= gain(stages[0], stages[-1], name).named(f"{name}_gain")
    counts = {f"{kind}_examples": count for kind, count in examples.items()}
    return found | counts | {"train_minutes": minutes, "train_questions": len(prompts), "n": N, "seed": seed}


def main() -> None:
    runs = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            runs.append(turns(seed, Path(folder)))
    write("flywheel", summarised(runs))


if __name__ == "__main__":
    main()
