"""The cluster launcher's file: Ray's own schema and checks, and nodes on which the application fits."""

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft7Validator
from ray.autoscaler._private.util import prepare_config, validate_config

from ghostrouter.config import GraphConfig
from tests.cluster_files import manifests

SCHEMA: dict[str, Any] = json.loads((files("ray.autoscaler") / "ray-schema.json").read_text())
TYPES: dict[str, dict[str, Any]] = manifests.ray_up()["available_node_types"]


def test_it_is_valid() -> None:
    errors = [f"{e.json_path}: {e.message}" for e in Draft7Validator(SCHEMA).iter_errors(manifests.ray_up())]
    assert errors == []


def test_ray_takes_it_with_its_defaults() -> None:
    validate_config(prepare_config(manifests.ray_up()))


def test_mistakes_are_found() -> None:
    with pytest.raises(Exception, match="head_node_type"):
        validate_config(prepare_config({**manifests.ray_up(), "head_node_type": "haed"}))
    with pytest.raises(Exception, match="setup_command"):
        validate_config(prepare_config({**manifests.ray_up(), "setup_command": []}))


def test_what_is_mounted_exists() -> None:
    """But for the token, which the user makes."""
    mounts = manifests.ray_up()["file_mounts"]
    assert mounts.pop("~/.ray/auth_token") == "~/.ray/auth_token"
    for remote, local in mounts.items():
        assert remote == f"~/ghostrouter/{local}"
        assert (manifests.ROOT / local).exists()


def test_every_engine_fits_on_a_node_type_and_so_do_all_its_replicas() -> None:
    config = GraphConfig.parse(manifests.serve_gpu()["applications"][0]["args"])
    workers = [t for name, t in TYPES.items() if name != manifests.ray_up()["head_node_type"]]
    for model in config.models:
        need = {
            "CPU": 1,
            "GPU": model.engine_kwargs.get("tensor_parallel_size", 1),
            f"accelerator_type:{model.accelerator_type}": 1,
        }
        fitting = [t for t in workers if all(t["resources"].get(what, 0) >= n for what, n in need.items())]
        autoscaling = model.deployment["autoscaling_config"]
        assert sum(t["min_workers"] for t in fitting) >= autoscaling["min_replicas"], model.name
        assert sum(t["max_workers"] for t in fitting) >= autoscaling["max_replicas"], model.name
    assert manifests.ray_up()["max_workers"] >= sum(t["max_workers"] for t in workers)


def test_nodes_are_set_up_and_started_alike() -> None:
    document = manifests.ray_up()
    assert any("scripts/setup.sh" in command for command in document["setup_commands"])
    for commands in (document["head_start_ray_commands"], document["worker_start_ray_commands"]):
        assert all(command.startswith(". ~/ghostrouter.env;") for command in commands)
        assert "--metrics-export-port=8080" in commands[-1]
