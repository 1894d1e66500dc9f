"""The files under test, read. The RayService has variants: `gpu`, the base itself, and `cpu`, an overlay."""

import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jsonpatch
import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
BASE = CLUSTER / "base"
VARIANTS = ("gpu", "cpu")
FILES = sorted(path for path in CLUSTER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
_HERE = Path(__file__).parent


def with_incremental_upgrade(variant: str) -> dict[str, Any]:
    """The RayService with that component."""
    (patch,) = _mapping((CLUSTER / "incremental_upgrade" / "kustomization.yaml").read_text())["patches"]
    return dict(jsonpatch.apply_patch(rayservice(variant), yaml.safe_load(patch["patch"])))


def serve_gpu() -> dict[str, Any]:
    return _mapping((CLUSTER / "serve_gpu.yaml").read_text())


def rayservice(variant: str = "gpu") -> dict[str, Any]:
    document = _mapping((BASE / "rayservice.yaml").read_text())
    if variant == "gpu":
        return document
    overlay = _mapping((CLUSTER / variant / "kustomization.yaml").read_text())
    (patch,), (image,) = overlay["patches"], overlay["images"]
    assert patch["target"] == {"kind": document["kind"]}
    patched = jsonpatch.apply_patch(document, yaml.safe_load((CLUSTER / variant / patch["path"]).read_text()))
    for container in _containers(_groups(patched)):
        if container["image"].rpartition(":")[0] == image["name"]:
            container["image"] = f"{image['name']}:{image['newTag']}"
    assert isinstance(patched, dict)
    return patched


def ray_up() -> dict[str, Any]:
    return _mapping((CLUSTER / "ray_up.yaml").read_text())


def served_by_kuberay(variant: str = "gpu") -> dict[str, Any]:
    """What serveConfigV2 says."""
    return _mapping(rayservice(variant)["spec"]["serveConfigV2"])


def groups(variant: str = "gpu") -> list[dict[str, Any]]:
    """The head group of the RayService, then its worker groups."""
    return _groups(rayservice(variant))


def _groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    ray_cluster = document["spec"]["rayClusterConfig"]
    return [ray_cluster["headGroupSpec"], *ray_cluster["workerGroupSpecs"]]


def containers(variant: str = "gpu") -> list[dict[str, Any]]:
    return _containers(groups(variant))


def _containers(of: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [container for group in of for container in group["template"]["spec"]["containers"]]


def exported() -> dict[str, str]:
    """What ray_up.yaml writes into the environment file of its nodes."""
    command = next(c for c in ray_up()["setup_commands"] if "ghostrouter.env" in c)
    return dict(re.findall(r"\b([A-Z_]+)=(\S+)", command))


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of a file of manifests that all variants share."""
    return list(yaml.safe_load_all((BASE / name).read_text()))


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
