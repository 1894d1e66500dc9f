"""Structured logs: events with fields and ids, as a line of text and as JSON."""

import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from ray._common.formatters import JSONFormatter
from ray.serve._private.logging_utils import ServeFormatter

import graph
from deployments import logs
from ghostrouter.config import Logs
from tests.deployments.in_process import Service
from tests.deployments.otlp import collector
from tests.deployments.session.test_span_exporter import CHAT, SAMPLED, TRACE

LOG = logging.getLogger("ray.serve")


class Lines(logging.Handler):
    """Formats records as Ray Serve does."""

    def __init__(self) -> None:
        super().__init__()
        self.json: list[dict[str, Any]] = []
        self.text: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.json.append(json.loads(JSONFormatter().format(record)))
        self.text.append(ServeFormatter("Ingress", "r1").format(record))


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, level = Lines(), LOG.level
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    yield handler
    LOG.removeHandler(handler)
    LOG.setLevel(level)


def test_an_event_has_its_fields(lines: Lines) -> None:
    LOG.warning("journal.slow shard=%s patience_s=%g reason=%r", 3, 0.25, ValueError("x"))
    assert lines.json[0]["event"] == "journal.slow"
    assert lines.json[0]["fields"] == {"shard": 3, "patience_s": 0.25, "reason": "x"}
    assert lines.json[0]["message"] == "journal.slow shard=3 patience_s=0.25 reason=ValueError('x')"
    assert lines.text[0].endswith("journal.slow shard=3 patience_s=0.25 reason=ValueError('x')")


def test_what_is_no_event_stays_as_it_is(lines: Lines) -> None:
    LOG.warning("100%% of %s and %s", "a", "b=%s")
    LOG.warning("plain")
    assert [line["message"] for line in lines.json] == ["100% of a and b=%s", "plain"]
    assert not any("event" in line for line in lines.json)


def test_ids_belong_to_a_task(lines: Lines) -> None:
    def session() -> None:
        logs.bind(session="s1")
        logs.bind(trace="t1")
        LOG.warning("call.failed error=%s", "TimeoutError")
        LOG.warning("session.failed session=%s", "s1")

    copy_context().run(session)
    LOG.warning("call.failed error=%s", "TimeoutError")
    assert [(line.get("session"), line.get("trace")) for line in lines.json] == [("s1", "t1")] * 2 + [(None, None)]
    assert lines.text[0].endswith("call.failed error=TimeoutError session=s1 trace=t1")
    assert lines.text[1].endswith("session.failed session=s1 trace=t1")


async def test_a_session_has_one_line_with_its_ids(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        service = Service()
        answer = (await service.post("/v1/chat/completions", CHAT, traceparent=SAMPLED)).json
    (line,) = [line for line in lines.json if line.get("event") == "session.ended"]
    assert (line["session"], line["trace"]) == (answer["id"], TRACE)
    assert line["fields"]["session"] == answer["id"]
    assert line["fields"]["models"] == "small"
    assert line["fields"]["outcome"] == "complete"
    assert line["fields"]["tokens"] == answer["usage"]["completion_tokens"]


def test_serve_is_told_the_format_and_the_level() -> None:
    assert graph._logging(Logs())["encoding"] == "TEXT"
    told = graph._logging(Logs(format="json", level="warning"))
    assert told == {"enable_access_log": False, "encoding": "JSON", "log_level": "WARNING"}
