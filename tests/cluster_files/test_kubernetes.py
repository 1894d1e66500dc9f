"""What `kubectl apply -k cluster` makes beside the RayService: valid, and about pods that exist."""

from typing import Any

import kubernetes_validate
import pytest

from tests.cluster_files import manifests

KUSTOMIZATION = manifests.documents("kustomization.yaml")[0]
FILES: list[str] = KUSTOMIZATION["resources"]
OTHERS = [d for name in FILES if name != "rayservice.yaml" for d in manifests.documents(name)]
VALKEY = next(d for d in OTHERS if d["kind"] == "StatefulSet")


@pytest.mark.parametrize("document", OTHERS, ids=lambda d: f"{d['kind']}-{d['metadata']['name']}")
def test_it_is_valid(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_a_mistake_is_found() -> None:
    wrong = {**OTHERS[0], "spec": {**OTHERS[0]["spec"], "selectors": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def _selectors(value: Any) -> list[dict[str, str]]:
    """All labels by which pods of ours are chosen."""
    if isinstance(value, list):
        return [found for item in value for found in _selectors(item)]
    if not isinstance(value, dict):
        return []
    mine = [value["matchLabels"]] if "matchLabels" in value else []
    return mine + [found for item in value.values() for found in _selectors(item)]


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_selectors_choose_pods_that_exist(variant: str) -> None:
    ray = [group["template"]["metadata"]["labels"] for group in manifests.groups(variant)]
    pods = [*ray, VALKEY["spec"]["template"]["metadata"]["labels"]]
    chosen = [s for d in OTHERS for s in _selectors(d) if s["app.kubernetes.io/name"] == "ghostrouter"]
    chosen += [d["spec"]["selector"] for d in OTHERS if d["kind"] == "Service"]
    assert len(chosen) > 5
    for labels in chosen:
        assert any(labels.items() <= pod.items() for pod in pods), labels


def test_ray_and_the_service_find_valkey() -> None:
    service = next(d for d in OTHERS if d["kind"] == "Service")
    address = f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    options = manifests.rayservice()["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
    assert options["redisAddress"] == address
    secrets = [
        options["redisPassword"]["valueFrom"],
        VALKEY["spec"]["template"]["spec"]["containers"][0]["env"][0]["valueFrom"],
    ]
    for container in manifests.containers():
        names = [variable["name"] for variable in container["env"]]
        values = {variable["name"]: variable for variable in container["env"]}
        secrets.append(values["VALKEY_PASSWORD"]["valueFrom"])
        assert f"@{address}/1" in values["GHOST_SESSIONS"]["value"]
        assert names.index("VALKEY_PASSWORD") < names.index("GHOST_SESSIONS")  # else it is not filled in
    assert all(secret == secrets[0] for secret in secrets)


def test_an_overlay_can_change_every_image() -> None:
    (configuration,) = KUSTOMIZATION["configurations"]
    paths = [row["path"].split("/") for row in manifests.documents(configuration)[0]["images"]]
    found = {image for path in paths for image in _at(manifests.rayservice(), path)}
    assert found == {container["image"] for container in manifests.containers()}
    assert sum(len(_at(manifests.rayservice(), path)) for path in paths) == len(manifests.containers())


def _at(value: Any, path: list[str]) -> list[Any]:
    """The values at a path, through all items of lists, as Kustomize goes."""
    if isinstance(value, list):
        return [found for item in value for found in _at(item, path)]
    return _at(value[path[0]], path[1:]) if path else [value]
