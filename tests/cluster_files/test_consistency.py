"""One truth across the files, and nothing in them that is nobody else's business."""

import re
import tomllib
from pathlib import Path

import pytest

from ghostrouter.cli.serve import ENVIRONMENT
from tests.cluster_files import manifests

IMAGE = (manifests.CLUSTER / "Dockerfile").read_text()
CPU = (manifests.CLUSTER / "cpu" / "kustomization.yaml").read_text()
README = (manifests.CLUSTER / "README.md").read_text()

SECRETS = re.compile(
    r"""\bhf_[A-Za-z0-9]{16,} | \bsk-[A-Za-z0-9-]{16,} | \b(?:AKIA|ASIA)[0-9A-Z]{12,} | \bgh[pousr]_\w{20,}
    | -----BEGIN | (?:password|secret_?key|api_?key|auth_token)\s*[:=]\s*["']?[A-Za-z0-9+/]{12,}""",
    re.IGNORECASE | re.VERBOSE,
)
MACHINE = re.compile(r"(?<![\w.~])/(?:work|root|mnt|tmp|opt/(?:wheels|pypi)|home/(?!ray\b))")


@pytest.mark.parametrize("variant", manifests.VARIANTS)
def test_every_container_has_the_environment_of_the_command(variant: str) -> None:
    for container in manifests.containers(variant):
        values = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert len(values) == len(container["env"])
        assert ENVIRONMENT.items() <= values.items()


def test_nodes_of_ray_up_have_the_environment_of_the_command() -> None:
    assert ENVIRONMENT.items() <= manifests.exported().items()


def test_both_ways_ask_for_a_token() -> None:
    assert manifests.rayservice()["spec"]["rayClusterConfig"]["authOptions"] == {"mode": "token"}
    assert manifests.exported()["RAY_AUTH_MODE"] == "token"


def test_there_is_one_image_and_it_has_the_projects_version() -> None:
    project = tomllib.loads((manifests.ROOT / "pyproject.toml").read_text())["project"]
    (image,) = {container["image"] for container in manifests.containers()}
    assert image.endswith(f"/{project['name']}:{project['version']}")
    assert {container["image"] for container in manifests.containers("cpu")} == {f"{image}-cpu"}
    named = {IMAGE: {image}, README: {image, f"{image}-cpu"}, CPU: {f"{image}-cpu"}}
    for text, images in named.items():
        assert set(re.findall(r"[\w.-]+/ghostrouter:[\w.-]+", text)) == images


def test_the_image_copies_what_exists_and_all_that_ray_up_mounts_of_the_code() -> None:
    copied = {
        source.rstrip("/") for line in re.findall(r"^COPY (.+)$", IMAGE, re.MULTILINE) for source in line.split()[:-1]
    }
    assert all((manifests.ROOT / source).exists() for source in copied)
    mounted = set(manifests.ray_up()["file_mounts"].values())
    assert copied == mounted - {"scripts", "cluster", "~/.ray/auth_token"}


def test_the_image_can_be_made_of_each_lock() -> None:
    (cases,) = re.findall(r'case "\$LOCK" in (.+) esac', IMAGE)
    locks = {path.stem: path.read_text() for path in (manifests.ROOT / "locks").glob("*.lock")}
    for kind, lock in locks.items():
        (option,) = re.findall(rf"{kind}\) how=(\S+)", cases)
        hashed = not re.search(r"^\S+==\S+$", lock, re.MULTILINE)
        assert hashed == (option == "--require-hashes"), kind


def test_the_images_python_is_the_locks() -> None:
    (of_image,) = re.findall(r"^FROM python:(\d+\.\d+)-slim$", IMAGE, re.MULTILINE)
    (of_lock,) = set(re.findall(r"--python-version (\S+)", (manifests.ROOT / "scripts" / "lock.sh").read_text()))
    assert of_image == of_lock


def test_the_readme_names_every_file() -> None:
    for path in manifests.FILES:
        assert path.name == "README.md" or f"`{path.name}`" in README


@pytest.mark.parametrize("path", manifests.FILES, ids=lambda p: p.name)
def test_no_secret_and_no_path_of_this_machine(path: Path) -> None:
    text = path.read_text()
    assert SECRETS.findall(text) == []
    assert MACHINE.findall(text) == []
    assert str(manifests.ROOT) not in text


def test_the_hubs_token_comes_from_an_optional_secret() -> None:
    for container in manifests.containers():
        (token,) = (variable for variable in container["env"] if "TOKEN" in variable["name"])
        assert "value" not in token
        assert token["valueFrom"]["secretKeyRef"]["optional"] is True


@pytest.mark.parametrize(
    "text", ["HF_TOKEN: hf_abcdefghijklmnopqrst", "api_key = 'abcdefabcdef1234'", "AKIAABCDEFGHIJKLMNOP"]
)
def test_a_secret_would_be_found(text: str) -> None:
    assert SECRETS.search(text)


@pytest.mark.parametrize("text", ["cd /mnt/checkout", "COPY /home/me/x .", "path: /root/.cache"])
def test_a_path_would_be_found(text: str) -> None:
    assert MACHINE.search(text)
