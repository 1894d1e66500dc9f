"""Other software to compare with. Each has its own environment among the temporary files, made once and kept.

python -m bench.peer_environments
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Newer extras of the proxy want a compiler.
LITELLM = ("litellm[proxy]==1.106.2", "litellm-proxy-extras<=0.4.110")
PORTKEY = ("@portkey-ai/gateway", "1.15.2")
# With the newest version of its HTTP server, which npm would take, every answer of the gateway is an error.
PORTKEY_OVERRIDES = {"@hono/node-server": "1.13.8"}


def python_of(name: str, packages: tuple[str, ...]) -> Path:
    """The interpreter of an environment with these Python packages."""
    folder = _folder(name)
    python = folder / "bin" / "python"
    if not _has(folder, packages):
        print(f"making an environment for {name} in {folder} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "-q", str(folder), "--python", sys.executable], check=True)  # noqa: S603
        # uv does not read pip's setting.
        links = {"UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")}
        command = [uv, "pip", "install", "-q", "--python", str(python), *packages]
        subprocess.run(command, check=True, env={**os.environ, **links})  # noqa: S603
        _write_down(folder, packages)
    return python


def node_package(package: tuple[str, str], overrides: Mapping[str, str]) -> Path:
    """The folder of a package of npm: its name and version, and the versions of what it needs."""
    name, version = package
    wanted = json.dumps({"dependencies": {name: version}, "overrides": dict(overrides)})
    folder = _folder(name.strip("@").replace("/", "-"))
    if not _has(folder, (wanted,)):
        print(f"making an environment for {name} in {folder} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(f"{name} is a package of npm, which is not installed")
        (folder / "package.json").write_text(wanted)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)]
        subprocess.run(command, check=True)  # noqa: S603
        _write_down(folder, (wanted,))
    return folder / "node_modules" / name


def _folder(name: str) -> Path:
    return Path(tempfile.gettempdir()) / "ghostrouter-peers" / name


def _has(folder: Path, packages: tuple[str, ...]) -> bool:
    done = folder / "packages.txt"
    return done.is_file() and done.read_text() == "\n".join(packages)


def _write_down(folder: Path, packages: tuple[str, ...]) -> None:
    (folder / "packages.txt").write_text("\n".join(packages))


if __name__ == "__main__":
    print(python_of("litellm", LITELLM))
    print(node_package(PORTKEY, PORTKEY_OVERRIDES))
