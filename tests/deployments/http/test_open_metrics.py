"""GET /metrics as OpenMetrics: the same numbers, and which session they come from."""

import math
from collections.abc import Iterable

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser
from prometheus_client.parser import text_string_to_metric_families as old_families

from deployments.http.node_metrics import NodeMetrics
from deployments.http.open_metrics import is_asked_for, open_metrics
from ghostrouter.events import metrics
from ghostrouter.events.exemplars import Exemplars
from ghostrouter.events.session_metrics import Measured
from tests.deployments.http.test_node_metrics import node
from tests.deployments.in_process import Service

MINE, OTHER = 'deployment="Ingress",replica="mine"', 'deployment="Ingress",replica="other"'
PAGE = rf"""# HELP ray_ghost_tokens_total Tokens, "kept" \\ or not.
# TYPE ray_ghost_tokens_total counter
ray_ghost_tokens_total{{{MINE},model="a \"b\"\n"}} 3.0
ray_ghost_tokens_total{{{MINE},model="c"}} 3.0
ray_ghost_tokens_total{{{OTHER},model="c"}} 4.0
# HELP ray_ghost_inference_seconds Time.
# TYPE ray_ghost_inference_seconds histogram
ray_ghost_inference_seconds_bucket{{{MINE},le="0.1"}} 1.0
ray_ghost_inference_seconds_bucket{{{MINE},le="5.0"}} 2.0
ray_ghost_inference_seconds_bucket{{{MINE},le="+Inf"}} 3.0
ray_ghost_inference_seconds_count{{{MINE}}} 3.0
ray_ghost_inference_seconds_sum{{{MINE}}} 40.5
# HELP ray_vllm_lora_info
# TYPE ray_vllm_lora_info untyped
ray_vllm_lora_info 1.0
# TYPE ray_vllm_odd counter
ray_vllm_odd 1.0
"""


@pytest.fixture
def exemplars() -> Exemplars:
    found = Exemplars()
    found.note([Measured(metrics.TOKENS, 3, {"model": 'a "b"\n'})], "odd", "", 1.5)
    found.note([Measured(metrics.TOKENS, 2, {"model": "c"})], "one", "f" * 32, 1700000000.25)
    found.note([Measured(metrics.INFERENCE_TIME, 31.0, {}), Measured(metrics.COST, 1.0, {"model": "c"})], "slow", "", 2)
    found.note([Measured(metrics.INFERENCE_TIME, 4.0, {})], "middling", "", 3)
    return found


def families(page: str) -> list[Metric]:
    """What a strict parser reads."""
    return list(parser.text_string_to_metric_families(page))  # type: ignore[no-untyped-call]


def read(page: str) -> dict[tuple[str, str, str], tuple[dict[str, str], float, float]]:
    """Labels, value and time of exemplars, by sample, replica, and model or bucket. The parser is strict."""
    samples = [s for family in families(page) for s in family.samples]
    return {
        (s.name, s.labels["replica"], s.labels.get("model") or s.labels["le"]): (e.labels, e.value, float(e.timestamp))
        for s in samples
        if (e := s.exemplar) and e.timestamp is not None
    }


def test_exemplars_are_at_the_series_of_the_ingress_that_has_them(exemplars: Exemplars) -> None:
    page = open_metrics(PAGE.splitlines(), exemplars, "mine")
    tokens, seconds = "ray_ghost_tokens_total", "ray_ghost_inference_seconds_bucket"
    assert read(page) == {
        (tokens, "mine", 'a "b"\n'): ({"session_id": "odd"}, 3.0, 1.5),
        (tokens, "mine", "c"): ({"session_id": "one", "trace_id": "f" * 32}, 2.0, 1700000000.25),
        (seconds, "mine", "5.0"): ({"session_id": "middling"}, 4.0, 3.0),
        (seconds, "mine", "+Inf"): ({"session_id": "slow"}, 31.0, 2.0),
    }
    assert read(open_metrics(PAGE.splitlines(), exemplars, "third")) == {}


def test_the_numbers_are_those_of_the_other_format(exemplars: Exemplars) -> None:
    page = open_metrics(PAGE.splitlines(), exemplars, "mine")
    found = {f.name: f for f in families(page)}
    assert {name: f.type for name, f in found.items()} == {
        "ray_ghost_tokens": "counter",
        "ray_ghost_inference_seconds": "histogram",
        "ray_vllm_lora_info": "unknown",
        "ray_vllm_odd": "unknown",
    }
    assert found["ray_ghost_tokens"].documentation == r'Tokens, "kept" \ or not.'

    def numbers(of: Iterable[Metric]) -> list[tuple[str, float]]:
        return [(f"{s.name}{sorted(s.labels.items())}", s.value) for f in of for s in f.samples]

    # The parser of the older format calls every counter `_total`.
    assert numbers(found.values()) == numbers(old_families(PAGE.replace("odd counter", "odd untyped")))
    assert not any(math.isnan(value) for _, value in numbers(found.values()))


@pytest.mark.parametrize(
    ("accept", "asked"),
    [
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
        ("text/plain;version=0.0.4;q=0.5, Application/OpenMetrics-Text", True),
        ("text/plain", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_who_gets_it(accept: str, asked: bool) -> None:
    assert is_asked_for(accept) is asked


async def test_the_route_tells_who_asks_for_it(exemplars: Exemplars) -> None:
    service = Service()
    with node("one") as (one, _):
        service.ingress.node_metrics = NodeMetrics(lambda: [one], exemplars, "mine")
        plain = await service.get("/metrics", accept="*/*")
        opened = await service.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
        await service.ingress.close()
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert opened.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    found = {f.name for f in families(opened.body.decode())}
    assert found == {f.name for f in old_families(plain.body.decode())}
