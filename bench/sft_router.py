"""How well does a small language model label prompts, as layer 3 of the classifier? And how long does that take?

    make bench NAME=sft_router [SEED=1] [SEEDS=1] [EPOCHS=2] [PER_TASK=0] [HELD_OUT=0] [MODEL=smollm2-135m-instruct]

`ghostrouter train sft` trains a LoRA adapter of SmolLM2-135M-Instruct on the built-in examples of layer 2. Then the
service has it as layer 3, and `POST /v1/route` asks for the tasks of the prompts of classify_held_out.yaml, which
nothing here was improved with. Layers 1 and 2, and the head (`bench/classify.py`), have the same examples. The label of
layer 3 is its likeliest task, however unlikely; `l3_share` is the share of prompts that it labels. The others keep
the label of layer 2: that was certain, or no task was among the 20 likeliest tokens. `accuracy_l1_l3` is layer 1 with
layer 3 in the place of layer 2. `l3_p50_ms` is the time of a whole request, one at a time: HTTP, embedding and prefill.

PER_TASK trains on so many examples of each task (0: all), HELD_OUT asks so many prompts of each task (0: all).
`l3_lead_*` is the accuracy of layer 3 less that of layers 1 and 2, with 95% intervals over resampled prompts.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import yaml

from bench.classify import HELD_OUT as HELD_OUT_FILE
from bench.classify import head, read
from bench.seeds import SEED, SEEDS, summarised
from bench.service import GHOSTROUTER, local_model, server, write
from ghostrouter.classify.builtin import builtin_examples
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.classify.layers import LayeredClassifier
from ghostrouter.classify.router_prompt import router_prompt
from ghostrouter.confidence_intervals import interval
from ghostrouter.config import Classify
from ghostrouter.config.routing import Router
from ghostrouter.learn.fine_tune import Tuning, fine_tune
from scripts.real_models import bring

EPOCHS = float(os.environ.get("EPOCHS", "2"))
PER_TASK = int(os.environ.get("PER_TASK", "0"))
HELD_OUT = int(os.environ.get("HELD_OUT", "0"))
MODEL = os.environ.get("MODEL", "smollm2-135m-instruct")
DRAWS = 1000
_PORT = 8131
_WARM_UP = 3
_URL = f"http://127.0.0.1:{_PORT}"
Array = npt.NDArray[Any]


def examples(seed: int) -> list[tuple[str, str]]:
    """The built-in examples with their tasks, or PER_TASK of each task."""
    rng = np.random.default_rng(seed)
    found = []
    for task, texts in builtin_examples().items():
        order = rng.permutation(len(texts))[: PER_TASK or None]
        found += [(texts[i], task) for i in order]
    return found


def held_out() -> list[tuple[str, str]]:
    """The held-out prompts with their tasks, or HELD_OUT of each task."""
    every = read(HELD_OUT_FILE)
    if not HELD_OUT:
        return every
    return [
        pair for task in dict.fromkeys(t for _, t in every) for pair in [p for p in every if p[1] == task][:HELD_OUT]
    ]


def train(seed: int, base: Path, data: Path, out: Path) -> float:
    """Train an adapter. The minutes that it took."""
    rows = [
        {"messages": [{"role": "user", "content": router_prompt(p)}, {"role": "assistant", "content": task}]}
        for p, task in examples(seed)
    ]
    data.mkdir()
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    began_s = time.perf_counter()
    done = fine_tune("sft", [data], str(base), out, Tuning(epochs=EPOCHS, seed=seed))
    minutes = (time.perf_counter() - began_s) / 60
    print(f"  seed {seed}: {done}, {minutes:.1f} minutes", flush=True)
    return minutes


def configuration(base: Path, adapter: Path, folder: Path) -> Path:
    """A configuration whose layer 3 has the adapter, and is asked whatever the earlier layers say."""
    model = local_model(MODEL, str(base.resolve()), "float32", 1024, threads=os.cpu_count())
    args = {
        "models": [model, {"name": "router", "base": MODEL, "lora": str(adapter)}],
        "routes": {"default": {"models": [MODEL]}},
        "router": {"l1": {"builtin": False}},
        "classify": {"l3": {"model": "router", "below": 1.0, "threshold": 0.0, "timeout_s": 60}},
        "events": {"folder": str(folder)},
    }
    path = folder / "serve.yaml"
    application = {"name": "ghostrouter", "route_prefix": "/", "import_path": "graph:build", "args": args}
    http = {"proxy_location": "Disabled", "http_options": {"host": "127.0.0.1", "port": _PORT}}
    path.write_text(yaml.safe_dump(http | {"applications": [application]}))
    return path


def ask(prompts: Sequence[str]) -> tuple[list[str], list[float]]:
    """The task of each prompt by `POST /v1/route`, one at a time; and the times in ms where layer 3 has labelled it."""
    labels, times_ms = [], []
    with httpx.Client(base_url=_URL, timeout=120) as http:
        for number, prompt in enumerate((*prompts[:_WARM_UP], *prompts)):
            began_s = time.perf_counter()
            found = http.post("/v1/route", json={"query": prompt}).raise_for_status().json()["classification"]
            took_ms = 1e3 * (time.perf_counter() - began_s)
            if number >= _WARM_UP:
                labels.append(found["task"])
                times_ms += [took_ms] if found["layer"] == "model" else []
    return labels, times_ms


def serve(base: Path, adapter: Path, folder: Path, prompts: Sequence[str]) -> tuple[list[str], list[float]]:
    """Start a service with the adapter, and ask it."""
    command = [GHOSTROUTER, "serve", str(configuration(base, adapter, folder))]
    with server(command, f"{_URL}/healthz", "bench-sft-router"):
        return ask(prompts)


def earlier_layers(prompts: Sequence[str]) -> tuple[list[str | None], list[str], list[str]]:
    """The labels of layer 1 (None: no rule), of layers 1 and 2, and of the head."""
    encode = sentence_encoder("all-MiniLM-L6-v2", threads=1)
    layers = LayeredClassifier({}, Classify(), Router(), encode)
    ruled = [found.classification.task if (found := layers.by_rules(p)) else None for p in prompts]
    both = [
        task or layers.by_meaning(p, encode([p])[0]).classification.task for p, task in zip(prompts, ruled, strict=True)
    ]
    return ruled, both, head(encode, list(prompts))


def figure(name: str, values: Array) -> dict[str, float]:
    """The mean of a value per prompt, with its interval."""
    return interval(lambda rows: float(values[rows].mean()), range(len(values)), DRAWS).named(name)


def figures(labels: Sequence[str], right: Array, ruled: Sequence[str | None], hits: Mapping[str, Array]) -> Any:
    """The accuracies, given the labels of layer 3."""
    with_rules = np.array([task or label for task, label in zip(ruled, labels, strict=True)])
    mine = {**hits, "l3": np.array(labels) == right, "l1_l3": with_rules == right}
    found: dict[str, float] = {}
    for layer, hit in mine.items():
        found |= figure(f"accuracy_{layer}", hit.astype(float))
    return found | figure("l3_lead", mine["l3"].astype(float) - mine["l1_l2"])


def main() -> None:
    labelled = held_out()
    prompts, right = [p for p, _ in labelled], np.array([task for _, task in labelled])
    base = bring(MODEL)
    told = []
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            minutes = train(seed, base, folder / "data", folder / "adapter")
            told.append((seed, minutes, *serve(base, folder / "adapter", folder, prompts)))
    ruled, both, of_head = earlier_layers(prompts)  # it leaves torch with one thread
    hits = {"l1_l2": np.array(both) == right, "head": np.array(of_head) == right}
    runs = [
        figures(labels, right, ruled, hits)
        | {
            "l3_p50_ms": statistics.median(times_ms),
            "l3_share": len(times_ms) / len(right),
            "train_minutes": minutes,
            "n": len(right),
            "seed": seed,
        }
        for seed, minutes, labels, times_ms in told
    ]
    write("sft_router", summarised(runs) | {"examples": len(examples(SEED)), "epochs": EPOCHS})


if __name__ == "__main__":
    main()
