"""A real Arize Phoenix for tests, started by the script that people use, and what its API tells of a trace."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.servers import free_port, until_up
from tests.shipped import ROOT

_START_S, _PATIENCE_S = 600.0, 120.0
_TRACE = """query($id: String!) { getTraceByOtelId(traceId: $id) {
  session { sessionId }
  costSummary { total { cost tokens } }
  spans(first: 100) { edges { node {
    name spanKind startTime tokenCountPrompt tokenCountCompletion
    costSummary { total { cost } }
  } } }
} }"""


@dataclass(frozen=True, slots=True)
class Phoenix:
    """A running Phoenix."""

    url: str

    def show(self, trace_id: str, bodies: Sequence[bytes], spans: int) -> dict[str, Any]:
        """Send what an exporter has sent, and read the trace back once all of it is there, with costs.

        Phoenix takes up new prices some seconds after it was told them. What came before has no costs, and is sent
        again.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            for body in bodies:
                headers = {"content-type": "application/x-protobuf"}
                httpx.post(f"{self.url}/v1/traces", content=body, headers=headers, timeout=30).raise_for_status()
            found = self._trace(trace_id)
            while found is None or len(found["spans"]["edges"]) < spans:
                assert time.monotonic() < deadline, found
                time.sleep(0.5)
                found = self._trace(trace_id)
            if found["costSummary"]["total"]["cost"]:
                return found
            httpx.delete(f"{self.url}/v1/traces/{trace_id}", timeout=30).raise_for_status()
            time.sleep(1)

    def _trace(self, trace_id: str) -> dict[str, Any] | None:
        body = {"query": _TRACE, "variables": {"id": trace_id}}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=30).raise_for_status().json()
        assert "errors" not in answer, answer
        found: dict[str, Any] | None = answer["data"]["getTraceByOtelId"]
        return found


@contextmanager
def phoenix(folder: Path) -> Iterator[Phoenix]:
    """Phoenix, installed if it is not yet, with an empty database in `folder`."""
    subprocess.run([str(ROOT / "scripts/phoenix.sh"), "--install-only"], check=True, timeout=900)
    port, work = free_port(), folder / "phoenix"
    work.mkdir()
    ports = {"PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port())}
    with (folder / "phoenix.txt").open("wb") as log:
        child = subprocess.Popen(
            [str(ROOT / "scripts/phoenix.sh")],
            env={**os.environ, **ports, "PHOENIX_WORKING_DIR": str(work)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until_up(f"{url}/healthz", child, folder / "phoenix.txt", _START_S)
        yield Phoenix(url)
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(60)
