"""The files under test, read."""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
_HERE = Path(__file__).parent


def serve_gpu() -> dict[str, Any]:
    return _mapping((CLUSTER / "serve_gpu.yaml").read_text())


def rayservice() -> dict[str, Any]:
    return _mapping((CLUSTER / "rayservice.yaml").read_text())


def ray_up() -> dict[str, Any]:
    return _mapping((CLUSTER / "ray_up.yaml").read_text())


def served_by_kuberay() -> dict[str, Any]:
    """What serveConfigV2 says."""
    return _mapping(rayservice()["spec"]["serveConfigV2"])


def groups() -> list[dict[str, Any]]:
    """The head group of the RayService, then its worker groups."""
    ray_cluster = rayservice()["spec"]["rayClusterConfig"]
    return [ray_cluster["headGroupSpec"], *ray_cluster["workerGroupSpecs"]]


def containers() -> list[dict[str, Any]]:
    return [container for group in groups() for container in group["template"]["spec"]["containers"]]


def exported() -> dict[str, str]:
    """What ray_up.yaml writes into the environment file of its nodes."""
    command = next(c for c in ray_up()["setup_commands"] if "ghostrouter.env" in c)
    return dict(re.findall(r"\b([A-Z_]+)=(\S+)", command))


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of a file of manifests."""
    return list(yaml.safe_load_all((CLUSTER / name).read_text()))


def rayservice_schema() -> dict[str, Any]:
    """Our schema of RayService with Kubernetes' own definitions in it, which refuse unknown fields."""
    schema: dict[str, Any] = json.loads((_HERE / "rayservice_schema.json").read_text())
    strict = f"kubernetes-json-schema/v{kubernetes_validate.latest_version()}-local-strict/_definitions.json"
    known = json.loads(resources.files("kubernetes_validate").joinpath(strict).read_text())
    schema["$defs"] |= known["$defs"]
    return schema


def _mapping(text: str) -> dict[str, Any]:
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    return read
