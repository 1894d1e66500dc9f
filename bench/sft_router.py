"""How well does a small language model label prompts, as layer 3 of the classifier? And how long does that take?

    make bench NAME=sft_router [SEEDS=2] [EPOCHS=2] [PER_TASK=0] [HELD_OUT=0] [MODEL=smollm2-135m-instruct]

`ghostrouter train sft` trains a LoRA adapter of SmolLM2-135M-Instruct on the built-in examples of layer 2. Then vLLM
serves base and adapter, and the classifier's code asks the adapter for the prompts of classify_held_out.yaml, which
nothing here was improved with. Layers 1 and 2, and the head (`bench/classify.py`), have the same examples. The label of
layer 3 is its likeliest task, however unlikely. `accuracy_l1_l3` is layer 1 with layer 3 in the place of layer 2.

PER_TASK trains on so many examples of each task (0: all), HELD_OUT asks so many prompts of each task (0: all).
`l3_lead_*` is the accuracy of layer 3 less that of layers 1 and 2, with 95% intervals over resampled prompts.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.classify import HELD_OUT as HELD_OUT_FILE
from bench.classify import head, read
from bench.seeds import SEED, summarised
from bench.service import VLLM_ENVIRONMENT, write
from ghostrouter.classify.builtin import builtin_examples
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.classify.layers import LayeredClassifier, tasks
from ghostrouter.classify.model_layer import ModelLayer
from ghostrouter.classify.router_prompt import router_prompt
from ghostrouter.confidence_intervals import interval
from ghostrouter.config import Classify, LocalModel
from ghostrouter.config.routing import Router
from ghostrouter.learn.fine_tune import Tuning, fine_tune
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest
from scripts.real_models import bring

SEEDS = range(SEED, SEED + int(os.environ.get("SEEDS", "2")))
EPOCHS = float(os.environ.get("EPOCHS", "2"))
PER_TASK = int(os.environ.get("PER_TASK", "0"))
HELD_OUT = int(os.environ.get("HELD_OUT", "0"))
MODEL = os.environ.get("MODEL", "smollm2-135m-instruct")
DRAWS = 1000
Array = npt.NDArray[np.float64]


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


def train(seed: int, base: Path, out: Path) -> float:
    """Train an adapter. The minutes that it took."""
    rows = [
        {"messages": [{"role": "user", "content": router_prompt(p)}, {"role": "assistant", "content": task}]}
        for p, task in examples(seed)
    ]
    data = out.with_name(f"data-{seed}")
    data.mkdir()
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    began_s = time.perf_counter()
    done = fine_tune("sft", data, str(base), out, Tuning(epochs=EPOCHS, seed=seed))
    minutes = (time.perf_counter() - began_s) / 60
    print(f"  seed {seed}: {done}, {minutes:.1f} minutes", flush=True)
    return minutes


def engine(base: Path, adapters: Mapping[str, Path]) -> Any:
    """vLLM with the base and its adapters, as a replica starts it; the steps of its requests."""
    os.environ.update(VLLM_ENVIRONMENT)
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.async_llm import AsyncLLM

    from deployments.engine.vllm_arguments import engine_arguments
    from deployments.engine.vllm_steps import VllmSteps

    model = LocalModel(
        name=MODEL,
        source=str(base),
        exact_entropy=False,
        engine_kwargs={"enforce_eager": True, "max_model_len": 1024, "block_size": 32},
    )
    rows = [LocalModel(name=n, source=str(base), lora=str(folder), base=MODEL) for n, folder in adapters.items()]
    client = AsyncLLM.from_engine_args(AsyncEngineArgs(model=str(base), **engine_arguments(model, rows)))
    loaded = {n: LoRARequest(n, i, str(folder)) for i, (n, folder) in enumerate(adapters.items(), 1)}
    return client, VllmSteps(client, False, "", loaded)


async def ask(steps: Any, layer: ModelLayer, name: str, prompts: Sequence[str]) -> tuple[list[str], list[float]]:
    """The label of each prompt, one at a time, and the time of each in ms."""
    labels, times_ms = [], []
    for prompt in (prompts[0], *prompts):  # the first one warms up
        began_s = time.perf_counter()
        request = SegmentRequest(
            SegmentKey("classify", 0), name, layer.prompt(prompt), 0, Sampling(max_tokens=1, temperature=0.0)
        )
        found = layer.classify(await steps.next_token(request))
        times_ms.append(1e3 * (time.perf_counter() - began_s))
        labels.append(found.task if found else "")
    return labels[1:], times_ms[1:]


async def ask_all(base: Path, adapters: Mapping[str, Path], prompts: Sequence[str]) -> dict[str, Any]:
    """Labels and times by adapter, and those of the base without one."""
    client, steps = engine(base, adapters)
    tokenizer = ChatTokenizer(str(base))
    layer = ModelLayer(tasks({}, builtin=True), 0.0, tokenizer.encode, tokenizer.encode_chat)
    try:
        return {name: await ask(steps, layer, name, prompts) for name in (*adapters, MODEL)}
    finally:
        client.shutdown()


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


def main() -> None:
    labelled = held_out()
    prompts, right = [p for p, _ in labelled], np.array([task for _, task in labelled])
    base = bring(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        adapters = {f"seed-{seed}": Path(folder) / f"seed-{seed}" for seed in SEEDS}
        minutes = [train(seed, base, out) for seed, out in zip(SEEDS, adapters.values(), strict=True)]
        told = asyncio.run(ask_all(base, adapters, prompts))
    ruled, both, of_head = earlier_layers(prompts)
    hits = {
        "l1_l2": np.array(both) == right,
        "head": np.array(of_head) == right,
        "base": np.array(told[MODEL][0]) == right,
    }
    runs = []
    for seed, name, took in zip(SEEDS, adapters, minutes, strict=True):
        labels, times_ms = told[name]
        with_rules = np.array([task or label for task, label in zip(ruled, labels, strict=True)])
        mine = {**hits, "l3": np.array(labels) == right, "l1_l3": with_rules == right}
        run: dict[str, Any] = {}
        for layer, hit in mine.items():
            run |= figure(f"accuracy_{layer}", hit.astype(float))
        run |= figure("l3_lead", mine["l3"].astype(float) - mine["l1_l2"])
        run |= {"l3_p50_ms": statistics.median(times_ms), "train_minutes": took, "n": len(right), "seed": seed}
        runs.append(run)
    write("sft_router", summarised(runs) | {"examples": len(examples(SEED)), "epochs": EPOCHS})


if __name__ == "__main__":
    main()
