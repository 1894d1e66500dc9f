"""The shell scripts parse, and what they hand to other programs exists."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.shipped import ROOT

SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))
PROVISIONING = ROOT / "dashboards" / "grafana" / "provisioning"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_they_parse(script: Path) -> None:
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert script.stat().st_mode & 0o111, "it can be started"


def test_grafana_is_provisioned_with_what_observe_sets() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "ghostrouter.yaml").read_text())["providers"]
    script = (ROOT / "scripts" / "observe.sh").read_text()
    for variable in (source["url"], provider["options"]["path"]):
        assert f"{variable.removeprefix('${').removesuffix('}')}=" in script


def test_without_root_the_missing_packages_are_named(tmp_path: Path) -> None:
    """A program that nobody has; `id` says that we are not root."""
    fake = tmp_path / "id"
    fake.write_text("#!/bin/sh\necho 1000\n")
    fake.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "scripts" / "system_packages.sh"), "no-such-program-4711=its-package", "bash=bash"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        ["Some tests need programs that are not here. Install these packages: its-package"],
    )
