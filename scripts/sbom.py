"""Write a software bill of materials: every package of a lock, with version and hashes, as CycloneDX 1.6 JSON.

`make sbom` writes sbom/cpu.cdx.json and sbom/gpu.cdx.json. The same lock makes the same file.
"""

import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pinned:
    """A package of a lock, with the SHA-256 of each of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]


def packages(lock: str) -> Iterator[Pinned]:
    """The packages of a lock in pip's format."""
    for entry in re.split(r"\n(?=\S)", lock):
        if found := _PINNED.match(entry):
            yield Pinned(found["name"].lower(), found["version"], tuple(sorted(_HASH.findall(entry))))


def bom(lock: str) -> str:
    """The bill of materials of a lock, as JSON."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    built = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, lock))
    built.metadata.timestamp = datetime.fromtimestamp(0, UTC)  # the lock alone decides what the file says
    built.metadata.component = Component(
        name=project["name"], version=project["version"], type=ComponentType.APPLICATION, bom_ref=project["name"]
    )
    components = [_component(package) for package in packages(lock)]
    built.components.update(components)
    direct = {_normal(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in project["dependencies"]}
    built.register_dependency(built.metadata.component, [c for c in components if _normal(c.name) in direct])
    return JsonV1Dot6(built).output_as_string(indent=2)


def _component(package: Pinned) -> Component:
    purl = PackageURL("pypi", name=package.name, version=package.version)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=h) for h in package.hashes],
    )


def _normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Write the files."""
    folder = ROOT / "sbom"
    folder.mkdir(exist_ok=True)
    for kind in ("cpu", "gpu"):
        text = (ROOT / "locks" / f"{kind}.lock").read_text()
        (folder / f"{kind}.cdx.json").write_text(bom(text))
        print(f"sbom/{kind}.cdx.json: {len(list(packages(text)))} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
