"""GET /metrics: one page of all nodes' metrics, ours and vLLM's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from deployments.http.node_metrics import NodeMetrics, merged
from tests.deployments.in_process import Service
from tests.deployments.session.test_budgeted_engines import BudgetedService, key

PAGE = """# HELP ray_ghost_tokens_total Tokens accepted into answers.
# TYPE ray_ghost_tokens_total counter
ray_ghost_tokens_total{{model="m",node="{node}"}} 3.0
# HELP ray_node_mem_used Memory.
# TYPE ray_node_mem_used gauge
ray_node_mem_used{{node="{node}"}} 5.0
# HELP ray_vllm_num_requests_running Running.
# TYPE ray_vllm_num_requests_running gauge
ray_vllm_num_requests_running{{node="{node}"}} 1.0
"""


@contextmanager
def node(name: str, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """A node's exporter: its address, and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(PAGE.format(node=name).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Not into the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


async def test_all_nodes_are_one_page() -> None:
    service = Service()
    with node("one") as (one, asked), node("two") as (two, _), node("broken", 500) as (broken, _):
        gone = "127.0.0.1:1"
        service.ingress.node_metrics = NodeMetrics(lambda: [one, two, broken, gone])
        answer = await service.get("/metrics")
        await service.get("/metrics")
        await service.ingress.close()
    assert asked == ["/metrics"], "asked once a second at most"
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = {f.name: f for f in text_string_to_metric_families(answer.body.decode())}
    assert set(families) == {"ray_ghost_node_up", "ray_ghost_tokens", "ray_vllm_num_requests_running"}
    assert {s.labels["node"]: s.value for s in families["ray_ghost_tokens"].samples} == {"one": 3.0, "two": 3.0}
    up = {s.labels["node"]: s.value for s in families["ray_ghost_node_up"].samples}
    assert up == {one: 1.0, two: 1.0, broken: 0.0, gone: 0.0}


def test_the_lines_of_a_metric_are_together_and_its_type_is_told_once() -> None:
    lines = merged(PAGE.format(node=n) for n in "ab")
    assert [line.split("{")[0] for line in lines] == [
        "# HELP ray_ghost_tokens_total Tokens accepted into answers.",
        "# TYPE ray_ghost_tokens_total counter",
        "ray_ghost_tokens_total",
        "ray_ghost_tokens_total",
        "# HELP ray_vllm_num_requests_running Running.",
        "# TYPE ray_vllm_num_requests_running gauge",
        "ray_vllm_num_requests_running",
        "ray_vllm_num_requests_running",
    ]


async def test_where_keys_exist_an_admin_key_is_needed(tmp_path: Path) -> None:
    service = BudgetedService(tmp_path, access={"keys": [key("a"), key("b", scopes=["admin"])]})
    assert (await service.get("/metrics")).status == 401
    assert (await service.get("/metrics", authorization="Bearer key of a")).status == 403
    assert (await service.get("/metrics", authorization="Bearer key of b")).status == 200
    await service.ingress.close()
