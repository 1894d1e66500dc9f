"""How well and how fast are prompts classified? By layer 1, layer 2, both, and a head trained on the same examples.

    make bench NAME=classify [ROUNDS=5]

This project wrote and labelled the prompts; they are not real traffic. Rules and examples were improved with the
prompts of classify_prompts.yaml, but never with those of classify_held_out.yaml (`*_held_out`). `l1_p50_us` and
`l1_p99_us` are times for prompts that are new to layer 1. For `l1_after_encoder_*` the encoder has used the processor's
caches before.
"""

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.handoff import percentile
from bench.service import write
from ghostrouter.classify.builtin import builtin_examples
from ghostrouter.classify.encoder import Encode, sentence_encoder
from ghostrouter.classify.layers import LayeredClassifier, RuleLayer, ready_rules
from ghostrouter.config import Classify
from ghostrouter.config.routing import Router

PROMPTS = Path(__file__).with_name("classify_prompts.yaml")
HELD_OUT = Path(__file__).with_name("classify_held_out.yaml")
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def timed(act: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, seconds on the clock, and seconds of this thread's own work. On a busy machine the two differ."""
    began_s, worked_s = time.perf_counter(), time.thread_time()
    return act(), time.perf_counter() - began_s, time.thread_time() - worked_s


def head(encode: Encode, prompts: list[str]) -> list[str]:
    """Logistic regression on the embeddings of the shipped examples."""
    from sklearn.linear_model import LogisticRegression

    pairs = [(text, task) for task, texts in builtin_examples().items() for text in texts]
    model = LogisticRegression(C=10, max_iter=500).fit(encode([t for t, _ in pairs])[:, -1], [k for _, k in pairs])
    return list(model.predict(encode(prompts)[:, -1]))


def read(path: Path) -> list[tuple[str, str]]:
    """Prompts and their tasks."""
    labelled = [(p, task) for task, prompts in yaml.safe_load(path.read_text()).items() for p in prompts]
    shared = {p for p, _ in labelled} & {t for texts in builtin_examples().values() for t in texts}
    assert not shared, f"both example and question: {shared}"
    return labelled


def by_rules(prompts: list[str]) -> dict[str, float]:
    """Times of layer 1 for new and for repeated prompts. A round has new automata: they grow with new text."""
    new_s: list[float] = []
    work_s: list[float] = []
    again_s: list[float] = []
    for _ in range(ROUNDS):
        ready_rules.cache_clear()
        layer = RuleLayer({}, Router(), False)
        for prompt in prompts:
            _, seconds, worked = timed(partial(layer.by_rules, prompt))
            new_s.append(seconds)
            work_s.append(worked)
        again_s += [timed(partial(layer.by_rules, prompt))[1] for prompt in prompts]
    return {
        "l1_p50_us": 1e6 * statistics.median(new_s),
        "l1_p99_us": 1e6 * percentile(new_s, 0.99),
        "l1_p99_work_us": 1e6 * percentile(work_s, 0.99),
        "l1_again_p50_us": 1e6 * statistics.median(again_s),
        "l1_again_p99_us": 1e6 * percentile(again_s, 0.99),
    }


def measure() -> dict[str, Any]:
    labelled, unseen = read(PROMPTS), read(HELD_OUT)
    speed = by_rules([p for p, _ in labelled + unseen])
    encode = sentence_encoder("all-MiniLM-L6-v2", threads=1)
    ready_rules.cache_clear()
    layers = LayeredClassifier({}, Classify(), Router(), encode)
    encode(["warm"])
    rules_s: list[float] = []
    l2_s: list[float] = []
    both_s: list[float] = []
    l1: list[str | None] = []
    l2: list[str | None] = []
    both: list[str] = []
    for prompt, _ in labelled + unseen:
        rules, seconds, _ = timed(partial(layers.by_rules, prompt))
        meaning, spent, _ = timed(lambda p=prompt: layers.by_meaning(p, encode([p])[0]))  # type: ignore[misc]
        rules_s.append(seconds)
        l2_s.append(spent)
        both_s.append(seconds if rules else seconds + spent)
        l1.append(rules.classification.task if rules else None)
        l2.append(None if meaning.classification.layer == "none" else meaning.classification.task)
        both.append((rules or meaning).classification.task)
    right = [task for _, task in labelled]
    n, held = len(labelled), [task for _, task in unseen]
    learned = head(encode, [p for p, _ in labelled])
    return {
        "n": n,
        "n_held_out": len(unseen),
        "tasks": len(set(right)),
        **_layer("l1", l1[:n], right),
        **_layer("l2", l2[:n], right),
        "accuracy_hybrid": _share(both[:n], right),
        "accuracy_hybrid_held_out": _share(both[n:], held),
        **{f"{k}_held_out": v for k, v in (_layer("l1", l1[n:], held) | _layer("l2", l2[n:], held)).items()},
        "accuracy_learned": _share(learned, right),
        **speed,
        "l1_after_encoder_p50_us": 1e6 * statistics.median(rules_s),
        "l1_after_encoder_p99_us": 1e6 * percentile(rules_s, 0.99),
        "l2_p50_ms": 1e3 * statistics.median(l2_s),
        "l2_p99_ms": 1e3 * percentile(l2_s, 0.99),
        "decision_p50_ms": 1e3 * statistics.median(both_s),
        "decision_p99_ms": 1e3 * percentile(both_s, 0.99),
        **{f"accuracy_hybrid_{t}": _share(*_of(t, both[:n], right)) for t in sorted(set(right))},
        **{f"accuracy_hybrid_held_out_{t}": _share(*_of(t, both[n:], held)) for t in sorted(set(held))},
        "wrong": [f"{task}: {p}: {b}" for (p, task), b in zip(labelled, both, strict=False) if b != task],
    }


def _layer(name: str, said: list[str | None], right: list[str]) -> dict[str, float]:
    """How often a layer gives a label, and how often that is right."""
    spoken = [(s, r) for s, r in zip(said, right, strict=True) if s is not None]
    return {
        f"accuracy_{name}": float(np.mean([s == r for s, r in spoken])) if spoken else 0.0,
        f"coverage_{name}": len(spoken) / len(right),
    }


def _share(said: list[str], right: list[str]) -> float:
    return float(np.mean([s == r for s, r in zip(said, right, strict=True)]))


def _of(task: str, said: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    kept = [(s, r) for s, r in zip(said, right, strict=True) if r == task]
    return [s for s, _ in kept], [r for _, r in kept]


def main() -> None:
    write("classify", measure())


if __name__ == "__main__":
    main()
