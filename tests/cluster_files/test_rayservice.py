"""The RayService: its schema, the same application as serve_gpu.yaml, and nodes on which that fits."""

import copy
from functools import cache
from typing import Any

import pytest
import ray
from jsonschema import Draft202012Validator
from ray.autoscaler._private.kuberay.autoscaling_config import _get_ray_resources_from_group_spec

from ghostrouter.config import GraphConfig
from tests.cluster_files import manifests

WORKERS = manifests.groups()[1:]


@cache
def _validator() -> Draft202012Validator:
    schema = manifests.rayservice_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_it_is_valid() -> None:
    errors = [f"{e.json_path}: {e.message}" for e in _validator().iter_errors(manifests.rayservice())]
    assert errors == []


CLUSTER = ("spec", "rayClusterConfig")
POD = (*CLUSTER, "headGroupSpec", "template", "spec")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "RayCluster"),
        (("spec", "serveConfig"), "applications: []"),
        (("spec", "serveConfigV2"), {"applications": []}),
        ((*CLUSTER, "workerGroupSpec"), []),
        ((*CLUSTER, "gcsFaultToleranceOptions", "redisPasswords"), {}),
        ((*CLUSTER, "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        ((*CLUSTER, "workerGroupSpecs", 0, "minReplicas"), "1"),
        ((*CLUSTER, "workerGroupSpecs", 0, "groupName"), "GPU_L4"),
        ((*POD, "container"), []),
        ((*POD, "containers"), []),
        ((*POD, "containers", 0, "env", 0, "value"), 1),
        ((*POD, "containers", 0, "ports", 0, "containerPort"), "8000"),
    ],
)
def test_mistakes_are_found(path: tuple[str | int, ...], value: Any) -> None:
    document = copy.deepcopy(manifests.rayservice())
    parent: Any = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    assert not _validator().is_valid(document)


def test_it_serves_what_serve_gpu_says_with_its_sessions_in_valkey() -> None:
    served = manifests.served_by_kuberay()
    journal = served["applications"][0]["args"].pop("journal")
    assert served == manifests.serve_gpu()
    assert {journal["url_env"]} <= {variable["name"] for variable in manifests.containers()[0]["env"]}


def test_versions_and_ports() -> None:
    assert manifests.rayservice()["spec"]["rayClusterConfig"]["rayVersion"] == ray.__version__
    http_port = manifests.served_by_kuberay()["http_options"]["port"]
    for group in manifests.groups():
        container = group["template"]["spec"]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        annotations = group["template"]["metadata"]["annotations"]
        assert ports["serve"] == http_port
        assert str(ports["metrics"]) == group["rayStartParams"]["metrics-export-port"]
        assert str(ports["metrics"]) == annotations["prometheus.io/port"]
        assert annotations["prometheus.io/scrape"] == "true"


def test_group_sizes() -> None:
    names = [group["groupName"] for group in WORKERS]
    assert len(set(names)) == len(names)
    for group in WORKERS:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_volumes_exist() -> None:
    for group in manifests.groups():
        spec = group["template"]["spec"]
        mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}


def test_every_engine_fits_on_a_group_and_so_do_all_its_replicas() -> None:
    """As Ray's autoscaler reads the groups: what it does not see there it never starts a node for."""
    config = GraphConfig.parse(manifests.served_by_kuberay()["applications"][0]["args"])
    offers = [(_get_ray_resources_from_group_spec(group, is_head=False), group) for group in WORKERS]
    for model in config.models:
        need = {
            "CPU": 1,
            "GPU": model.engine_kwargs.get("tensor_parallel_size", 1),
            f"accelerator_type:{model.accelerator_type}": 1,
        }
        fitting = [g for offer, g in offers if all(offer.get(what, 0) >= n for what, n in need.items())]
        autoscaling = model.deployment["autoscaling_config"]
        assert sum(g["minReplicas"] for g in fitting) >= autoscaling["min_replicas"], model.name
        assert sum(g["maxReplicas"] for g in fitting) >= autoscaling["max_replicas"], model.name


def test_light_deployments_need_no_gpu_node() -> None:
    offers = [_get_ray_resources_from_group_spec(group, is_head=False) for group in WORKERS]
    assert any(offer["CPU"] >= 1 and not offer.get("GPU") for offer in offers)
    assert manifests.groups()[0]["rayStartParams"]["num-cpus"] == "0"
