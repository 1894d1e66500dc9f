"""How well prompts are labelled, and how fast: layer 1, layer 2, both, and a head learned from the same examples.

    make bench NAME=classify [ROUNDS=5]

The prompts of classify_prompts.yaml were written and labelled by this project, after its rules; nobody's traffic.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.handoff import percentile
from bench.service import write
from ghostrouter.classify.encoder import Encode, sentence_encoder
from ghostrouter.classify.layers import LayeredClassifier, builtin_examples
from ghostrouter.config import Classify
from ghostrouter.config_router import Router

PROMPTS = Path(__file__).with_name("classify_prompts.yaml")
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def timed(act: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, seconds on the clock, and seconds of this thread's own work: on a busy machine they differ."""
    began_s, worked_s = time.perf_counter(), time.thread_time()
    return act(), time.perf_counter() - began_s, time.thread_time() - worked_s


def head(encode: Encode, prompts: list[str]) -> list[str]:
    """Logistic regression on the embeddings of the shipped examples."""
    from sklearn.linear_model import LogisticRegression

    pairs = [(text, task) for task, texts in builtin_examples().items() for text in texts]
    model = LogisticRegression(C=10, max_iter=500).fit(encode([t for t, _ in pairs])[:, -1], [k for _, k in pairs])
    return list(model.predict(encode(prompts)[:, -1]))


def first_seen(prompts: list[str]) -> list[float]:
    """Seconds that a prompt takes which layer 1 has never seen: automata grow with what is new. Those of the first half
    are not counted."""
    layers = LayeredClassifier({}, Classify(), Router(), None)
    order = np.random.default_rng(0).permutation(len(prompts))
    seconds = [timed(lambda i=i: layers.by_rules(prompts[i]))[1] for i in order]  # type: ignore[misc]
    return seconds[len(seconds) // 2 :]


def measure() -> dict[str, Any]:
    labelled = [(p, task) for task, prompts in yaml.safe_load(PROMPTS.read_text()).items() for p in prompts]
    shared = {p for p, _ in labelled} & {t for texts in builtin_examples().values() for t in texts}
    assert not shared, f"both example and question: {shared}"
    first_s = first_seen([p for p, _ in labelled])
    encode = sentence_encoder("all-MiniLM-L6-v2", threads=1)
    layers = LayeredClassifier({}, Classify(), Router(), encode)
    for prompt, _ in labelled:  # automata are built and pages touched once, not once a request
        layers.by_rules(prompt)
    encode(["warm"])
    l1_s: list[float] = []
    l1_work_s: list[float] = []
    l2_s: list[float] = []
    both_s: list[float] = []
    l1: list[str | None] = []
    l2: list[str | None] = []
    both: list[str] = []
    for round_ in range(ROUNDS):
        for prompt, _ in labelled:
            rules, seconds, worked = timed(lambda p=prompt: layers.by_rules(p))  # type: ignore[misc]
            l1_s.append(seconds)
            l1_work_s.append(worked)
            if round_ == 0:
                meaning, spent, _ = timed(lambda p=prompt: layers.by_meaning(encode([p])[0]))  # type: ignore[misc]
                l2_s.append(spent)
                both_s.append(seconds if rules else seconds + spent)
                l1.append(rules.classification.task if rules else None)
                l2.append(None if meaning.classification.layer == "none" else meaning.classification.task)
                both.append((rules or meaning).classification.task)
    right = [task for _, task in labelled]
    learned = head(encode, [p for p, _ in labelled])
    return {
        "n": len(labelled),
        "tasks": len(set(right)),
        **_layer("l1", l1, right),
        **_layer("l2", l2, right),
        "accuracy_hybrid": _share(both, right),
        "accuracy_learned": _share(learned, right),
        "l1_p50_us": 1e6 * statistics.median(l1_s),
        "l1_p99_us": 1e6 * percentile(l1_s, 0.99),
        "l1_p99_work_us": 1e6 * percentile(l1_work_s, 0.99),
        "l1_first_seen_p50_us": 1e6 * statistics.median(first_s),
        "l1_first_seen_p99_us": 1e6 * percentile(first_s, 0.99),
        "l2_p50_ms": 1e3 * statistics.median(l2_s),
        "l2_p99_ms": 1e3 * percentile(l2_s, 0.99),
        "decision_p50_ms": 1e3 * statistics.median(both_s),
        "decision_p99_ms": 1e3 * percentile(both_s, 0.99),
        **{f"accuracy_hybrid_{t}": _share(*_of(t, both, right)) for t in sorted(set(right))},
        "wrong": [f"{task}: {p}: {b}" for (p, task), b in zip(labelled, both, strict=True) if b != task],
    }


def _layer(name: str, said: list[str | None], right: list[str]) -> dict[str, float]:
    """How often a layer is right where it speaks, and how often it speaks."""
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
