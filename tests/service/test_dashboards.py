"""Every panel and every alert, against a real Prometheus that scrapes the real service under load."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from ghostrouter.events import metrics
from models import questions
from tests.dashboards.prometheus import Prometheus, names, panel_queries, prometheus, rules
from tests.service.conftest import Service
from tests.service.questions import KNOWN_TO_SMALL, UNKNOWN_TO_SMALL
from tests.service.test_service import SILENT, body

pytestmark = pytest.mark.service

# There is no GPU here, and no model has written enough for a rate of alarms. Other queries of their panels have data.
NO_DATA = {f"ray_{m.name}" for m in (metrics.GPU_USE, metrics.GPU_MEMORY_USE, metrics.ALARM_RATE)}
_PATIENCE_S = 300.0
_AT_ONCE = 6


def test_no_panel_is_without_data_and_no_metric_is_unknown(
    service: Service, http: httpx.Client, tmp_path: Path
) -> None:
    with prometheus([service.url.removeprefix("http://")], tmp_path) as server:
        queries = {q.expression for q in panel_queries() if not names(q.expression) <= NO_DATA}
        queries |= {rule["record"] for rule in rules("recording.yaml")}
        _load_until_all_have_data(server, http, queries)
        known = {n.removesuffix("_total").removesuffix("_bucket") for n in server.names()}
        asked = {n for q in panel_queries() for n in names(q.expression)}
        for alert in rules("alerts.yaml"):
            server.query(alert["expr"])
            asked |= names(alert["expr"])
        assert {n.removesuffix("_total").removesuffix("_bucket") for n in asked} - known <= SILENT
        up = server.query("ray_ghost_node_up")
        assert [series["value"][1] for series in up] == ["1"]
        firing = [alert["metric"]["alertname"] for alert in server.query('ALERTS{alertstate="firing"}')]
        assert firing == [], "nothing is wrong"


def _load_until_all_have_data(server: Prometheus, http: httpx.Client, queries: set[str]) -> None:
    """Ask questions at once, some of which change hands. Ray exports what it has counted every few seconds."""
    asked: list[questions.Question] = [*UNKNOWN_TO_SMALL[: _AT_ONCE // 2], *KNOWN_TO_SMALL[: _AT_ONCE // 2]]
    deadline, missing = time.monotonic() + _PATIENCE_S, queries
    with ThreadPoolExecutor(len(asked)) as pool:
        while missing := {q for q in missing if not server.has_data(q)}:
            assert time.monotonic() < deadline, missing
            list(pool.map(lambda question: _stream(http, question), asked))


def _stream(http: httpx.Client, question: questions.Question) -> None:
    """An answer that is kept in the session store, as streams are."""
    answer = http.post("/v1/chat/completions", json=body(question, stream=True))
    assert answer.text.rstrip().endswith("[DONE]"), answer.text
