"""POST /v1/route: the decision of the real call, without the call."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench.handles import Handle
from deployments.classifier import Classifier
from deployments.ingress import Deployments, Ingress
from deployments.session.requester import Requester
from ghostrouter.access.keys import ANYONE
from ghostrouter.api import chat_request
from ghostrouter.api.chat_response import Head
from ghostrouter.classify.builtin import builtin_examples
from ghostrouter.classify.encoder import Encode, Layers
from ghostrouter.cli.decider import decider
from ghostrouter.config import GraphConfig
from ghostrouter.learn.router import LearnedRouter
from ghostrouter.learn.rows import Rows
from ghostrouter.learn.views import view
from ghostrouter.redact.policy import Discretion
from tests.deployments.in_process import Answer, Service
from tests.shipped import MODELS, ROOT

PROMPTS = [p for ps in yaml.safe_load((ROOT / "bench" / "classify_prompts.yaml").read_text()).values() for p in ps]
EXAMPLES = [t for texts in builtin_examples().values() for t in texts[::10]]

ME = Requester("me", ANYONE, Discretion("off"))


class Routed(Service):
    """With a classifier that knows rules, or whatever `encode` makes of a prompt, and a route of its own for code."""

    def __init__(self, encode: Encode | None = None, **sections: Any) -> None:
        super().__init__()
        config = self.config = GraphConfig.parse(
            {
                "models": [{"name": n, "source": str(MODELS / "ghost-small")} for n in ("small", "large")],
                "routes": {"default": {"models": ["small", "large"]}, "code": {"models": ["large"]}},
                "classify": {"encoder": "ours" if encode else None, "timeout_s": 600.0},
                "journal": {"patience_s": 60.0},
                **sections,
            }
        )
        engines: Any = {"small": Handle(self.writer), "large": Handle(self.writer)}
        classifier: Any = Handle(Classifier(config, encode))
        replay: Any = [Handle(self.replay)]
        self.ingress = Ingress(config, Deployments(engines, classifier, replay, Handle(self.events)))
        self.app = self.ingress.http_app()


def asked(prompt: str) -> dict[str, Any]:
    return {"model": "ghost/auto", "messages": [{"role": "user", "content": prompt}]}


def encode(texts: Sequence[str]) -> Layers:
    """Texts as unit vectors of letter counts, three depths alike."""
    counts = np.array([[t.count(c) for c in "aeiourstln "] for t in texts], dtype=np.float32) + 1e-3
    unit: Layers = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return np.repeat(unit[:, None], 3, axis=1)


def learned(folder: Path) -> str:
    """The file of a router that has learned something from the examples."""
    prompts = tuple(EXAMPLES)
    good = np.array([[len(p) < 40, len(p) % 3 > 0] for p in prompts], dtype=float)
    path = folder / "router.safetensors"
    rows = Rows(prompts, ("",) * len(prompts), ("small", "large"), good)
    LearnedRouter.fit(rows, view(prompts, encode(prompts))).save(path)
    return str(path)


def thousand() -> list[str]:
    """A thousand different prompts, long and short."""
    mixed = [f"{a} {b}" for a, b in zip(PROMPTS, reversed(PROMPTS), strict=True)]
    return list(dict.fromkeys([*PROMPTS, *EXAMPLES, *mixed, *(f"{p} {i}" for i in range(9) for p in PROMPTS)]))[:1000]


@pytest.mark.parametrize("mode", ["shadow", "serve"])
async def test_a_thousand_prompts_are_decided_alike_in_preview_call_and_command(mode: str, tmp_path: Path) -> None:
    sections = {
        "router": {
            "learned": {"path": learned(tmp_path), "mode": mode},
            "low_confidence": {"below": 0.6},
            "exploration": {"share": 0.1},
        }
    }
    service = Routed(encode, **sections)
    offline = decider(service.config, "ghost/auto", encode)
    prompts = thousand()
    assert len(prompts) == 1000
    firsts: set[str] = set()
    for prompt in prompts:
        call = chat_request.from_wire(asked(prompt))
        previewed = await service.ingress.planner.preview(call, ME)
        opened = await service.ingress.planner.open(call, ME, Head(f"chatcmpl-{len(firsts)}", "m", 0), kept=False)
        told = await offline(prompt)
        assert list(opened.session.plan.models) == previewed["plan"] == told["plan"], prompt
        for key in ("classification", "plan_reason", "propensity", "shadow_plan", "candidates", "learned"):
            assert json.loads(json.dumps(previewed[key])) == json.loads(json.dumps(told[key])), (prompt, key)
        firsts.add(previewed["plan_reason"].split(",")[0] + previewed["plan"][0])
    assert len(firsts) > 2


async def test_a_rule_changes_while_it_serves_and_a_wrong_one_does_not() -> None:
    service: Any = Routed()
    zebra = {"default": {"models": ["small", "large"]}, "zoo": {"models": ["large"], "rules": ["zebra"]}}

    async def plan() -> Any:
        return (await service.post("/v1/route", {"query": "a zebra"})).json["plan"]

    assert await plan() == ["small", "large"]
    before = (await service.get("/v1/status")).json["configuration"]
    await service.ingress.reconfigure({"routes": zebra})
    assert await plan() == ["large"]
    assert "ghost/zoo" in [m["id"] for m in (await service.get("/v1/models")).json["data"]]
    after = (await service.get("/v1/status")).json["configuration"]
    assert (before["refused"], after["refused"]) == (None, None)
    assert before["version"] != after["version"]
    wrong = {**zebra, "zoo": {"models": ["large"], "rules": ["(zebra"]}}
    await service.ingress.reconfigure({"routes": wrong})
    told = (await service.get("/v1/status")).json["configuration"]
    assert told["version"] == after["version"]
    assert "routes.zoo.rules: '(zebra' is not an expression of RE2" in told["refused"]
    assert await plan() == ["large"]
    await service.ingress.reconfigure({})
    assert (await service.get("/v1/status")).json["configuration"] == before
    assert await plan() == ["small", "large"]


async def test_an_image_and_tools_are_seen_by_the_classifier() -> None:
    service: Any = Routed()
    picture = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]
    sent = {"model": "ghost/auto", "messages": [{"role": "user", "content": picture}]}
    # Nobody here takes pictures; that they were seen is told by who fell out.
    assert "does not support images" in (await service.post("/v1/route", sent)).json["error"]["message"]
    named = (await service.post("/v1/route", {"query": "@image what is it"})).json
    assert named["classification"]["task"] == "vision"


async def test_somebody_who_is_there_is_asked_what_is_wanted() -> None:
    service: Any = Routed(router={"low_confidence": {"below": 0.5}})
    refused = await service.post("/v1/chat/completions", {**asked("zzz"), "ghost": {"interactive": True}})
    assert refused.status == 409
    assert refused.json["error"]["code"] == "task_unclear"
    assert refused.json["error"]["tasks"] == ["default", "code"]
    answered = await service.post("/v1/chat/completions", {**asked("zzz"), "max_tokens": 4})
    assert answered.json["ghost"]["plan"] == ["large", "small"]
    trace = (await service.get(f"/v1/traces/{answered.json['id']}")).json
    assert trace["plan_reason"] == "route default, safer: confidence of the task 0.00"


async def test_router_and_inference_are_timed_apart() -> None:
    service: Any = Routed()
    answer = await service.post("/v1/chat/completions", {**asked("hello"), "max_tokens": 4})
    assert {"x-request-id", "x-ghost-model", "x-ghost-task", "x-ghost-layer"} <= set(answer.headers)
    assert float(answer.headers["x-ghost-router-ms"]) >= 0
    assert float(answer.headers["x-ghost-inference-ms"]) >= 0
    assert {"router_ms", "inference_ms"} <= set(answer.json["ghost"])
    streamed = await service.post("/v1/chat/completions", {**asked("hello"), "max_tokens": 4, "stream": True})
    assert streamed.headers["x-ghost-model"] == "small"
    assert streamed.events()[-1].data["ghost"]["inference_ms"] is not None


async def test_a_preview_tells_label_candidates_plan_and_estimate() -> None:
    answer = await Routed().post("/v1/route", {"query": "write a python function"})
    assert answer.status == 200
    found = answer.json
    assert found["classification"]["task"] == "code"
    assert found["classification"]["layer"] == "rules"
    assert found["plan"] == ["large"]
    assert [c["model"] for c in found["candidates"]] == ["large"]
    assert found["estimate"]["prompt_tokens"] > 0
    assert set(found["router_ms"]) == {"encode", "classify", "plan"}


async def test_the_answer_goes_where_the_preview_said() -> None:
    service = Routed()
    for prompt in PROMPTS[::10]:
        preview = (await service.post("/v1/route", asked(prompt))).json
        answer = await service.post("/v1/chat/completions", {**asked(prompt), "max_tokens": 4})
        assert answer.json["ghost"]["plan"] == preview["plan"], prompt
        assert answer.headers["x-ghost-model"] == preview["plan"][0]
        assert answer.headers["x-ghost-task"] == preview["classification"]["task"]
        assert answer.headers["x-ghost-layer"] == preview["classification"]["layer"]


async def test_a_wrong_preview_is_refused_as_a_wrong_call_is() -> None:
    service: Any = Routed()
    bodies: list[Any] = [{"query": 1}, {"query": "a", "messages": []}, {}, []]
    answers: list[Answer] = [await service.post("/v1/route", body) for body in bodies]
    assert [a.status for a in answers] == [400] * 4
    assert (await service.post("/v1/route", {"query": "a", "model": "nobody"})).status == 404
