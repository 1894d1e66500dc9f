"""Layer 3 of the classifier. The model that is asked is a shipped one with an adapter that is trained here."""

import asyncio
import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.handles import Handle
from deployments.classifier import Classifier
from ghostrouter.classify.encoder import Layers
from ghostrouter.classify.router_prompt import router_prompt
from ghostrouter.config import GraphConfig
from ghostrouter.errors import ConfigError, SegmentFailed
from ghostrouter.learn.fine_tune import Tuning, fine_tune
from ghostrouter.types import EngineStatus, SegmentRequest
from tests.shipped import MODELS

BASE = MODELS / "ghost-small"
QUESTIONS = {"letters": "abcabc?", "numbers": "123123?"}


def config(**l3: Any) -> GraphConfig:
    routes = {task: {"models": ["m"], "examples": [f"{task}{i}" for i in range(2)]} for task in QUESTIONS}
    return GraphConfig.parse(
        {
            "models": [{"name": "m", "source": str(BASE)}],
            "routes": {"default": {"models": ["m"]}, **routes},
            "router": {"l1": {"builtin": False}, "l2": {"builtin": False, "threshold": 0.9}},
            "classify": {"l3": {"model": "m", "timeout_s": 60, **l3}},
        }
    )


def encode(texts: Sequence[str]) -> Layers:
    """Vectors that are close to an example only for the same text."""
    rows = np.stack([np.random.default_rng(zlib.crc32(t.encode())).normal(size=48) for t in texts]).astype(np.float32)
    unit: Layers = (rows / np.linalg.norm(rows, axis=1, keepdims=True))[:, None]
    return unit


class Engine:
    """Answers as a replica does, with the base and an adapter in transformers."""

    def __init__(self, adapter: Path) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        self._model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), adapter)
        self.requests: list[SegmentRequest] = []

    async def next_token(self, request: SegmentRequest) -> dict[int, float]:
        import torch

        self.requests.append(request)
        with torch.inference_mode():
            logits = self._model(torch.tensor([request.prompt_ids])).logits[0, -1]
        top = torch.log_softmax(logits, -1).topk(20)
        return dict(zip(top.indices.tolist(), top.values.tolist(), strict=True))


class Hung:
    async def next_token(self, request: SegmentRequest) -> dict[int, float]:
        await asyncio.Event().wait()
        return {}

    async def status(self) -> EngineStatus:
        return EngineStatus(0)


class Broken:
    async def next_token(self, request: SegmentRequest) -> dict[int, float]:
        raise SegmentFailed("no more")


async def labelled(engine: object, prompt: str, **l3: Any) -> tuple[str, str]:
    handle: Any = Handle(engine)
    found = (await Classifier(config(**l3), encode, handle).label(prompt)).classification
    return found.task, found.layer


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sft")
    rows = [
        [{"role": "user", "content": router_prompt(question)}, {"role": "assistant", "content": task}]
        for task, question in QUESTIONS.items()
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps({"messages": m}) + "\n" for m in rows * 4))
    out = folder / "adapter"
    fine_tune("sft", [folder], str(BASE), out, Tuning(epochs=60, learning_rate=0.01, batch=8, rank=8))
    return out


@pytest.mark.filterwarnings("ignore")  # TRL's, PEFT's and torch's own
async def test_a_trained_adapter_tells_the_task_in_one_prefill(adapter: Path) -> None:
    engine = Engine(adapter)
    for task, question in QUESTIONS.items():
        assert await labelled(engine, question) == (task, "model")
    assert {r.sampling.max_tokens for r in engine.requests} == {1}
    assert await labelled(engine, "letters0") == ("letters", "semantic")  # layer 2 is sure
    assert len(engine.requests) == len(QUESTIONS)


@pytest.mark.parametrize("engine", [Hung(), Broken()])
async def test_a_model_that_is_slow_or_fails_leaves_the_earlier_label(engine: object) -> None:
    assert await labelled(engine, "abcabc?", timeout_s=0.05) == ("default", "none")


async def test_another_model_needs_a_restart_but_a_threshold_does_not(caplog: pytest.LogCaptureFixture) -> None:
    handle: Any = Handle(Broken())
    classifier = Classifier(config(), encode, handle)
    with caplog.at_level("ERROR", "ray.serve"):
        await classifier.reconfigure({"classify": {"l3": {"model": "m", "threshold": 0.7}}})
        assert not caplog.text
        await classifier.reconfigure({"classify": {}})
    assert "classify.l3.model: this cannot change" in caplog.text


@pytest.mark.parametrize(
    ("classify", "told"),
    [
        ({"l3": {"model": "mm"}}, "classify.l3.model: no such local model: mm; did you mean m?"),
        ({"l3": {"model": "m"}, "encoder": None}, "classify.l3: layer 3 follows layer 2"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(classify: dict[str, Any], told: str) -> None:
    row = {"name": "m", "source": str(BASE)}
    with pytest.raises(ConfigError, match=re.escape(told)):
        GraphConfig.parse({"models": [row], "routes": {"default": {"models": ["m"]}}, "classify": classify})
