"""A key, a prompt and an answer are in no metric, span, log line or event. All of them are searched."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from ray._common.formatters import JSONFormatter

from deployments import quotas
from ghostrouter.access.keys import digest
from ghostrouter.providers.failure import of_event, of_status
from ghostrouter.types import Frame, SegmentRequest
from tests.deployments.otlp import collector
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask, key
from tests.deployments.session.test_metrics import LIMITS, Series
from tests.make import tokens

KEY, PROMPT, ANSWER = "gr-planted-key-4711", "planted-prompt-0815", "planted-answer-2342"


class Planted(BudgetedService):
    """Its local model answers with `ANSWER`, or fails with an error that quotes everything."""

    def __init__(self, folder: Path) -> None:
        access = {"keys": [{**key("a"), "sha256": digest(KEY)}]}
        super().__init__(folder, access=access, budgets=LIMITS)


async def test_they_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series, text = Series(), io.StringIO()
    monkeypatch.setattr("tests.deployments.session.test_budgeted_engines.Meter", lambda: series)
    monkeypatch.setattr(quotas, "RayMetrics", lambda: series)
    monkeypatch.setattr("tests.deployments.in_process.ANSWER", ANSWER)
    handler = logging.StreamHandler(text)
    handler.setFormatter(JSONFormatter())
    for name in ("", "ray.serve"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
        logging.getLogger(name).addHandler(handler)
    mine: Any = {"authorization": f"Bearer {KEY}"}
    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        service = Planted(tmp_path)
        near = await service.post(CHAT, ask(PROMPT, model="small"), **mine)
        assert ANSWER in near.body.decode()
        far = await service.post(CHAT, ask(f"{PROMPT} {ANSWER}", stream=True), **mine)
        assert PROMPT in far.body.decode()
        rated = {"session": near.json["id"], "rating": 1}
        assert (await service.post("/v1/feedback", rated, **mine)).status == 200
        await _failing(service, mine)
        await service.settled()
        await service.ingress.events.settled()
        await service.events_now.close()
        exporter = service.ingress._span_exporter
        assert exporter is not None
        await asyncio.to_thread(exporter.close)
    for name in ("", "ray.serve"):
        logging.getLogger(name).removeHandler(handler)
    places = {
        "metrics": repr(series.by_metric).encode(),
        "spans": b"".join(received.bodies),
        "log": text.getvalue().encode(),
        "event store": _files(tmp_path),
    }
    for place, found in places.items():
        assert len(found) > 200, f"nothing was searched in {place}"
        for secret in (KEY, PROMPT, ANSWER):
            assert secret.encode() not in found, f"{secret} is in {place}"
    assert near.json["id"].encode() in places["event store"]


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def _failing(service: BudgetedService, mine: Any) -> None:
    """A provider that refuses, one whose stream breaks, and an error that nobody foresaw. All quote everything."""
    quoted = f"{KEY} {PROMPT} {ANSWER}"
    body = json.dumps({"error": {"message": quoted, "code": quoted, "type": "invalid_request_error"}}).encode()
    errors = [of_status(401, {}, body), of_status(500, {}, body), of_event({"message": quoted}), ValueError(quoted)]
    for error in errors:

        async def breaks(request: SegmentRequest, error: Exception = error) -> AsyncGenerator[Frame, None]:
            yield Frame(request.key, 0, tokens(ANSWER))
            raise error

        service.cloud.generate = breaks  # type: ignore[method-assign]
        answer = await service.post(CHAT, ask(PROMPT), traceparent="broken", **mine)
        assert answer.status >= 500
