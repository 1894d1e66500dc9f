"""Every query of the dashboards and of the alerts, against a real Prometheus that scrapes every metric there is."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ghostrouter.events import metrics
from ghostrouter.events.metrics import Metric
from tests.dashboards.prometheus import RULES, Prometheus, names, panel_queries, program, prometheus, rules

# Of vLLM; that they are exported is tested against the real service.
OTHERS = ("ray_vllm_num_requests_running",)
_PATIENCE_S = 120.0


def test_promtool_accepts_the_rules() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "rules", *map(str, sorted(RULES.glob("*.yaml")))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_do_what_they_are_for() -> None:
    path = Path(__file__).with_name("rules_test.yaml")
    done = subprocess.run([program("promtool"), "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do() -> None:
    for alert in rules("alerts.yaml"):
        assert len(alert["annotations"]["runbook"]) > 40, alert["alert"]
        assert alert["labels"]["severity"] in ("page", "ticket")


def test_every_query_has_data_where_every_metric_is(tmp_path: Path) -> None:
    with _exporter() as target, prometheus([target], tmp_path) as server:
        # Without what takes the place of a metric that has counted nothing.
        queries = [re.sub(r" or on\(\) vector\(.*?\)", "", query.expression) for query in panel_queries()]
        recorded = [rule["record"] for rule in rules("recording.yaml")]
        _wait(server, [*queries, *recorded])
        known = server.names()
        for alert in rules("alerts.yaml"):
            server.query(alert["expr"])
            assert names(alert["expr"]) <= known, alert["alert"]
        for query in panel_queries():
            assert names(query.expression) <= known, query


def _wait(server: Prometheus, queries: list[str]) -> None:
    deadline, missing = time.monotonic() + _PATIENCE_S, queries
    while missing := [q for q in missing if not server.has_data(q)]:
        if time.monotonic() > deadline:
            pytest.fail(f"no data: {missing}")
        time.sleep(0.5)


@contextmanager
def _exporter() -> Iterator[str]:
    """An exporter of one series of each metric. Counters and histograms grow with each scrape."""
    scrapes = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal scrapes
            scrapes += 1
            body = "".join(_page(m, scrapes) for m in metrics.ALL) + "".join(f"{n} 1\n" for n in OTHERS)
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Not into the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _page(metric: Metric, scrapes: int) -> str:
    """A metric as Ray exports it."""
    known = {"outcome": "complete", "direction": "rising"}
    labels = ",".join(f'{n}="{known.get(n, "x")}"' for n in (*metric.labels, "deployment", "replica"))
    name = f"ray_{metric.name}"
    if metric.kind == "gauge":
        return f"{name}{{{labels}}} 1\n"
    if metric.kind == "counter":
        return f"{name}_total{{{labels}}} {scrapes}\n"
    bounds = (*metric.bounds, "+Inf")
    return "".join(f'{name}_bucket{{{labels},le="{bound}"}} {scrapes}\n' for bound in bounds)
