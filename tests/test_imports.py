"""What importing does, seen in a fresh interpreter."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("ghostrouter.detect.monitor, ghostrouter.sessions.session, ghostrouter.api.chat_request", "ray vllm torch"),
        ("ghostrouter, ghostrouter.boot, ghostrouter.cli.main", "ray vllm torch transformers sqlalchemy"),
        ("ghostrouter.events.store, ghostrouter.events.spool", "ray vllm torch transformers"),
        ("ghostrouter.replay.tokenizers, ghostrouter.config", "ray vllm torch"),
        ("deployments.session.conductor, deployments.engine.segment_writer, deployments.ingress", "vllm torch"),
        ("ghostrouter.events.spans, ghostrouter.sessions.session", "opentelemetry"),
    ],
)
def test_importing_stays_light(imported: str, absent: str) -> None:
    program = f"import sys, {imported}; print(*(m for m in '{absent}'.split() if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9"])
def test_spans_are_imported_only_where_they_are_exported(endpoint: str) -> None:
    """Ray imports OpenTelemetry's API and SDK in any case."""
    program = """
import asyncio, sys
from tests.deployments.in_process import Service
async def ask():
    service = Service()
    body = {"model": "small", "messages": [{"role": "user", "content": "?"}]}
    assert (await service.post("/v1/chat/completions", body)).status == 200
asyncio.run(ask())
print(*(m for m in ("deployments.session.span_exporter", "opentelemetry.exporter.otlp") if m in sys.modules))
"""
    environment = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    expected = "deployments.session.span_exporter opentelemetry.exporter.otlp" if endpoint else ""
    assert done.stdout.strip() == expected
