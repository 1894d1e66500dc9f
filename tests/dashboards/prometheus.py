"""A real Prometheus for tests, and every query of the dashboards and of the alerts."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.servers import free_port, until_up
from tests.shipped import ROOT

RULES = ROOT / "dashboards" / "prometheus"
WHAT_TO_INSTALL = "Prometheus is needed: apt-get install prometheus (2.31 or newer)"
_START_S = 60.0


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(WHAT_TO_INSTALL)
    return path


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """A query of a panel."""

    dashboard: str
    panel: str
    expression: str


def panel_queries() -> list[PanelQuery]:
    """Every query of every panel."""
    found = []
    for path in sorted((ROOT / "dashboards" / "grafana").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            found += [PanelQuery(path.stem, panel["title"], t["expr"]) for t in panel.get("targets") or ()]
    return found


def rules(file: str) -> list[dict[str, Any]]:
    """The rules of a file."""
    return [rule for group in yaml.safe_load((RULES / file).read_text())["groups"] for rule in group["rules"]]


def names(expression: str) -> set[str]:
    """The metrics in an expression."""
    return set(re.findall(r"\bray_\w+|\bghost:[\w:]+", expression))


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that scrapes every second, with the rules of this project."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now. Fails if Prometheus does not take it."""
        expression = expression.replace("$__rate_interval", "1m")
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def has_data(self, expression: str) -> bool:
        """Whether an expression has a number now: `NaN`, a quantile of nothing, is none."""
        return any(series["value"][1] != "NaN" for series in self.query(expression))

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """The exemplars of an expression's series in the last hour, each with the labels of its series, newest last."""
        span = {"start": time.time() - 3600, "end": time.time() + 60}
        path = f"{self.url}/api/v1/query_exemplars"
        answer = httpx.get(path, params={"query": expression, **span}, timeout=30).json()
        assert answer["status"] == "success", (expression, answer)
        return [{**e, "series": found["seriesLabels"]} for found in answer["data"] for e in found["exemplars"]]

    def health(self) -> list[tuple[str, str]]:
        """The health of each target, and its last error."""
        found = httpx.get(f"{self.url}/api/v1/targets", timeout=30).json()["data"]["activeTargets"]
        return [(target["health"], target["lastError"]) for target in found]

    def names(self) -> set[str]:
        """The names of all metrics that it has."""
        return set(httpx.get(f"{self.url}/api/v1/label/__name__/values", timeout=30).json()["data"])


@contextmanager
def prometheus(targets: Sequence[str], folder: Path) -> Iterator[Prometheus]:
    """A running Prometheus. `targets` are host:port; their path is /metrics."""
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "recording.yaml"), str(RULES / "alerts.yaml")],
        "scrape_configs": [{"job_name": "ghostrouter", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with (folder / "log.txt").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        until_up(f"http://{address}/-/ready", child, folder / "log.txt", _START_S)
        yield Prometheus(f"http://{address}")
    finally:
        child.terminate()
        child.wait(30)
