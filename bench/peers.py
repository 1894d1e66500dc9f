"""Other software to compare with. Each has its own environment among the temporary files, made once and kept."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Newer extras of the proxy want a compiler.
LITELLM = ("litellm[proxy]==1.106.2", "litellm-proxy-extras<=0.4.110")


def python_of(name: str, packages: tuple[str, ...]) -> Path:
    """The interpreter of an environment with these packages."""
    folder = Path(tempfile.gettempdir()) / "ghostrouter-peers" / name
    python = folder / "bin" / "python"
    done = folder / "packages.txt"
    if not done.is_file() or done.read_text() != "\n".join(packages):
        print(f"making an environment for {name} in {folder} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "-q", str(folder), "--python", sys.executable], check=True)  # noqa: S603
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *packages], check=True)  # noqa: S603
        done.write_text("\n".join(packages))
    return python


if __name__ == "__main__":
    print(python_of("litellm", LITELLM))
