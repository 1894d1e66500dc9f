"""The RayService: its schema, the same application as serve_gpu.yaml, and nodes on which that fits."""

import copy
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import ray
from jsonschema import Draft202012Validator
from ray.autoscaler._private.kuberay.autoscaling_config import _get_ray_resources_from_group_spec

from ghostrouter.config import GraphConfig, LocalModel
from tests.cluster_files import manifests


@cache
def _validator() -> Draft202012Validator:
    schema = manifests.rayservice_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_it_is_valid(variant: str) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in _validator().iter_errors(manifests.rayservice(variant))]
    assert errors == []


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_it_may_be_upgraded_step_by_step(variant: str) -> None:
    document = manifests.with_incremental_upgrade(variant)
    assert _validator().is_valid(document)
    strategy = document["spec"].pop("upgradeStrategy")
    assert document == manifests.rayservice(variant) and document["spec"]["rayClusterConfig"]["enableInTreeAutoscaling"]
    options = strategy["clusterUpgradeOptions"]
    assert 0 < options["stepSizePercent"] <= options["maxSurgePercent"] < 100


CLUSTER = ("spec", "rayClusterConfig")
POD = (*CLUSTER, "headGroupSpec", "template", "spec")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "RayCluster"),
        (("spec", "serveConfig"), "applications: []"),
        (("spec", "serveConfigV2"), {"applications": []}),
        (("spec", "upgradeStrategy"), {"type": "Incremental"}),
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


def test_the_cpu_variant_serves_in_the_same_way() -> None:
    gpu, cpu = manifests.served_by_kuberay(), manifests.served_by_kuberay("cpu")
    (ours,), (theirs,) = gpu.pop("applications"), cpu.pop("applications")
    assert cpu == gpu
    for differs in ("models", "routes"):
        del ours["args"][differs], theirs["args"][differs]
    assert theirs == ours


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_versions_and_ports(variant: str) -> None:
    assert manifests.rayservice(variant)["spec"]["rayClusterConfig"]["rayVersion"] == ray.__version__
    http_port = manifests.served_by_kuberay(variant)["http_options"]["port"]
    for group in manifests.groups(variant):
        container = group["template"]["spec"]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        annotations = group["template"]["metadata"]["annotations"]
        assert ports["serve"] == http_port
        assert str(ports["metrics"]) == group["rayStartParams"]["metrics-export-port"]
        assert str(ports["metrics"]) == annotations["prometheus.io/port"]
        assert annotations["prometheus.io/scrape"] == "true"


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_group_sizes(variant: str) -> None:
    workers = manifests.groups(variant)[1:]
    names = [group["groupName"] for group in workers]
    assert len(set(names)) == len(names)
    for group in workers:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_volumes_exist() -> None:
    for group in manifests.groups():
        spec = group["template"]["spec"]
        mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_every_engine_fits_on_a_group_and_so_do_all_its_replicas(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ray's autoscaler reads the groups: what it does not see there it never starts a node for."""
    monkeypatch.setenv("GHOST_SESSIONS", "valkey://valkey:6379/1")
    config = GraphConfig.parse(manifests.served_by_kuberay(variant)["applications"][0]["args"])
    workers = manifests.groups(variant)[1:]
    offers = {g["groupName"]: _get_ray_resources_from_group_spec(g, is_head=False) for g in workers}
    wanted, most = Counter[str](), Counter[str]()
    for model in config.models:
        (group,) = [name for name, offer in offers.items() if name != "cpu" and _fits(model, offer)]
        wanted[group] += model.deployment["autoscaling_config"]["min_replicas"]
        most[group] += model.deployment["autoscaling_config"]["max_replicas"]
    for group in workers[1:]:
        assert group["minReplicas"] >= wanted[group["groupName"]]
        assert group["maxReplicas"] >= most[group["groupName"]]


def _fits(model: LocalModel, offer: Mapping[str, float]) -> bool:
    """Whether a node has room for one replica."""
    if model.accelerator == "gpu":
        gpus = model.engine_kwargs.get("tensor_parallel_size", 1)
        need = {"CPU": 1, "GPU": gpus, f"accelerator_type:{model.accelerator_type}": 1}
    else:
        bundles = (model.placement_group or {})["bundles"]
        assert bundles[0]["CPU"] >= model.deployment["ray_actor_options"]["num_cpus"]
        need = {"CPU": sum(bundle["CPU"] for bundle in bundles)}
    return all(offer.get(what, 0) >= n for what, n in need.items())


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_light_deployments_have_nodes_of_their_own(variant: str) -> None:
    offers = [_get_ray_resources_from_group_spec(group, is_head=False) for group in manifests.groups(variant)[1:]]
    assert offers[0]["CPU"] >= 1 and not offers[0].get("GPU")
    assert manifests.groups()[0]["rayStartParams"]["num-cpus"] == "0"
