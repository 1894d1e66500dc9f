"""POST /v1/route: the decision of the real call, without the call."""

from typing import Any

import yaml

from deployments import http
from deployments.classifier import Classifier
from deployments.ingress import Ingress
from ghostrouter.config import GraphConfig
from tests.deployments.fakes import Handle
from tests.deployments.in_process import Answer, Service
from tests.shipped import MODELS, ROOT

PROMPTS = [p for ps in yaml.safe_load((ROOT / "bench" / "classify_prompts.yaml").read_text()).values() for p in ps]


class Routed(Service):
    """With a classifier that knows rules, and a route of its own for code."""

    def __init__(self) -> None:
        super().__init__()
        local: dict[str, Any] = {"source": str(MODELS / "ghost-small")}
        config = GraphConfig.parse(
            {
                "models": [{"name": "small", **local}, {"name": "large", **local}],
                "routes": {"default": {"models": ["small", "large"]}, "code": {"models": ["large"]}},
                "classify": {"encoder": None},
                "journal": {"patience_s": 60.0},
            }
        )
        nobody: Any = Handle(None)
        engines: Any = {"small": Handle(self.writer), "large": Handle(self.writer)}
        classifier: Any = Handle(Classifier(config))
        replay: Any = Handle(self.replay)
        self.ingress = Ingress(config, engines, nobody, classifier, replay, Handle(self.events))
        self.app = http.app(self.ingress, max_body_bytes=100_000)


def asked(prompt: str) -> dict[str, Any]:
    return {"model": "ghost/auto", "messages": [{"role": "user", "content": prompt}]}


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
