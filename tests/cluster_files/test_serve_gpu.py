"""The GPU serve config: Ray Serve's schema, GhostRouter's own, and what vLLM knows."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest
from ray.serve.schema import DeploymentSchema, ServeApplicationSchema, ServeDeploySchema
from ray.util.accelerators import accelerators

from ghostrouter.classify.rules import Rules
from ghostrouter.config import GraphConfig, LocalModel
from tests.cluster_files import manifests

ARGS = manifests.serve_gpu()["applications"][0]["args"]
CONFIG = GraphConfig.parse(ARGS)


def test_ray_serve_takes_it() -> None:
    document = manifests.serve_gpu()
    parsed = ServeDeploySchema.model_validate(document)
    assert parsed.http_options.host == "0.0.0.0"  # noqa: S104  # other nodes and the Service have to reach it
    assert parsed.applications[0].import_path == "graph:build"
    # The schema lets unknown keys pass, for the sake of later versions.
    assert set(document) <= set(ServeDeploySchema.model_fields)
    for application in document["applications"]:
        assert set(application) <= set(ServeApplicationSchema.model_fields)
        for deployment in application["deployments"]:
            assert set(deployment) <= set(DeploymentSchema.model_fields)


def test_options_are_for_deployments_that_the_graph_has() -> None:
    graph = (manifests.ROOT / "graph.py").read_text()
    for deployment in manifests.serve_gpu()["applications"][0]["deployments"]:
        assert f'"{deployment["name"]}"' in graph


@pytest.mark.parametrize("model", CONFIG.models, ids=lambda m: m.name)
def test_a_model_is_of_a_hub_and_on_a_gpu(model: LocalModel) -> None:
    owner, _, name = model.source.partition("/")
    assert owner
    assert name
    assert not (manifests.ROOT / model.source).exists()
    assert model.calibration is None
    assert model.accelerator == "gpu"
    assert model.accelerator_type in vars(accelerators).values()
    assert model.engine_kwargs["dtype"] == "bfloat16"
    assert "enforce_eager" not in model.engine_kwargs
    assert 0 < model.engine_kwargs["gpu_memory_utilization"] < 1
    autoscaling = model.deployment["autoscaling_config"]
    assert 0 < autoscaling["min_replicas"] <= autoscaling["max_replicas"]


def test_vllm_knows_the_engine_arguments() -> None:
    known = _vllm_engine_arguments()
    assert "max_model_len" in known
    for model in CONFIG.models:
        assert set(model.engine_kwargs) <= known


def test_rules_compile_and_find() -> None:
    rules = Rules({task: route.rules for task, route in CONFIG.routes.items()})
    found = rules.classify("Please prove that there are infinitely many primes.")
    assert found is not None
    assert found.task == "hard"


def _vllm_engine_arguments() -> set[str]:
    """The fields of vLLM's AsyncEngineArgs, read and not imported: that takes ten seconds."""
    package = find_spec("vllm")
    assert package is not None
    assert package.origin is not None
    tree = ast.parse((Path(package.origin).parent / "engine" / "arg_utils.py").read_text())
    return {
        field.target.id
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name in {"EngineArgs", "AsyncEngineArgs"}
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
