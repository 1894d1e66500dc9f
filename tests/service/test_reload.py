"""The routing of the running service changes through the command people use, and no process starts again."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import Service
from tests.shipped import ROOT

pytestmark = pytest.mark.service
RULE = "routes.biography.rules=['quagga']"


def reload(service: Service, *overrides: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("ghostrouter")), "reload", str(service.config), *overrides]
    where = ["--url", service.url, "--dashboard", service.ray_api, "--timeout", "300"]
    return subprocess.run([*command, *where], cwd=ROOT, capture_output=True, text=True, check=False)


def task(http: httpx.Client) -> str:
    found: str = http.post("/v1/route", json={"query": "quagga"}).json()["classification"]["task"]
    return found


def test_a_rule_changes_without_a_restart_and_a_wrong_one_is_refused(service: Service, http: httpx.Client) -> None:
    before, started = http.get("/v1/status").json()["configuration"], http.get("/health").json()["started_at"]
    try:
        done = reload(service, RULE)
        assert done.returncode == 0, done.stderr
        assert task(http) == "biography"
        wrong = reload(service, "routes.biography.rules=['(']")
        assert wrong.returncode == 1
        assert "routes.biography.rules: '(' is not an expression of RE2" in wrong.stderr
        fixed = reload(service, "sessions.max_handoffs=1")
        assert "sessions: this cannot change while the service runs" in fixed.stderr
        assert task(http) == "biography"
    finally:
        assert reload(service).returncode == 0
    assert http.get("/v1/status").json()["configuration"] == before
    assert http.get("/health").json()["started_at"] == started
