"""Look for known vulnerabilities in the locks, with pip-audit in an environment of its own. It needs the network.

Exit status: 0 none found, 1 some found, 2 not all packages could be looked up.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.sbom import ROOT, packages

UNKNOWN = 2


def audited(lock: str, folder: Path) -> list[dict[str, Any]] | None:
    """What pip-audit says of every package of a lock; None if it does not run."""
    wanted, told = folder / "wanted.txt", folder / "told.json"
    # A local version, such as that of the CPU's torch, is in no database.
    wanted.write_text("".join(f"{p.name}=={p.version.partition('+')[0]}\n" for p in packages(lock)))
    words = ["tool", "run", "--from", "pip-audit", "pip-audit", "--requirement", str(wanted), "--no-deps"]
    words += ["--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(told)]
    uv = str(Path(sys.executable).with_name("uv"))
    done = subprocess.run([uv, *words], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if not told.exists():
        print("\n".join(done.stderr.splitlines()[-3:]), file=sys.stderr)
        return None
    found: list[dict[str, Any]] = json.loads(told.read_text())["dependencies"]
    return found


def verdict(kind: str, found: list[dict[str, Any]] | None) -> int:
    """Print what was found of a lock, and return the exit status."""
    if found is None:
        print(f"locks/{kind}.lock: could not be looked up. Is there a network?", file=sys.stderr)
        return UNKNOWN
    faulty = [(p["name"], p["version"], v) for p in found for v in p.get("vulns", ())]
    for name, version, fault in faulty:
        print(f"{name} {version}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no version'}")
    skipped = [p["name"] for p in found if "skip_reason" in p]
    print(f"locks/{kind}.lock: {len(found) - len(skipped)} of {len(found)} packages looked up, {len(faulty)} faults")
    if faulty:
        return 1
    if skipped:
        some = ", ".join(skipped[:5])
        print(f"{len(skipped)} could not be looked up ({some} ...). Is PyPI reachable?", file=sys.stderr)
    return UNKNOWN if skipped else 0


def main() -> int:
    """Look all locks up."""
    found = []
    for kind in ("cpu", "gpu"):
        with tempfile.TemporaryDirectory() as folder:
            lock = (ROOT / "locks" / f"{kind}.lock").read_text()
            found.append(verdict(kind, audited(lock, Path(folder))))
    return 1 if 1 in found else max(found)


if __name__ == "__main__":
    sys.exit(main())
