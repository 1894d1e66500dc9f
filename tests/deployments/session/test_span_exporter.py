"""Spans from the request to a real OTLP receiver, and W3C context in and out."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from deployments.session.span_exporter import SpanExporter
from ghostrouter.errors import ConfigError, SegmentFailed
from ghostrouter.events.spans import Span
from ghostrouter.types import Frame, SegmentEnd, SegmentRequest, Verdict
from tests.deployments.in_process import ANSWER, Service, Writer
from tests.deployments.otlp import Collector, collector
from tests.make import tokens

PROMPT, KEY = "Who was Zebulon Quillfeather?", "gr-planted-key-4711"
CHAT: dict[str, Any] = {"model": "ghost/default", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 40}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class HandsOff(Writer):
    """An engine that writes eight tokens, of which a verdict takes two back."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[SegmentRequest] = []

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        yield Frame(request.key, 0, tokens(ANSWER[:6]), None, "replica-1", cached_tokens=3)
        await asyncio.sleep(0.01)
        verdict = Verdict(request.key, 8, "handoff", 0.97, onset=6)
        yield Frame(request.key, 6, (), SegmentEnd("handoff", tokens(ANSWER[6:8]), verdict))


class Finishes(Writer):
    """An engine that writes the rest, whatever its tokens were before."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[SegmentRequest] = []

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        await asyncio.sleep(0.01)
        yield Frame(request.key, 0, tokens(ANSWER[6:]), SegmentEnd("stop"), "replica-2")


class Broken(Writer):
    """An engine that fails at once."""

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        if request.key.segment >= 0:
            raise SegmentFailed(f"this message quotes {PROMPT}")
        yield Frame(request.key, 0, ())


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


def exporter(service: Service) -> SpanExporter:
    found = service.ingress._span_exporter
    assert found is not None
    return found


async def flush(service: Service) -> None:
    await asyncio.to_thread(exporter(service).close)


def handing_off() -> tuple[Service, HandsOff, Finishes]:
    small, large = HandsOff(), Finishes()
    return Service(small=small, large=large), small, large


async def test_a_session_with_a_handoff_is_one_trace(received: Collector) -> None:
    service, _, _ = handing_off()
    began_ns = time.time_ns()
    answer = await service.post("/v1/chat/completions", CHAT, authorization=f"Bearer {KEY}")
    ended_ns = time.time_ns()
    await flush(service)
    assert answer.json["choices"][0]["message"]["content"] == ANSWER
    trace = (await service.get(f"/v1/traces/{answer.json['id']}", authorization=f"Bearer {KEY}")).json
    small, large = trace["segments"]

    assert received.paths == ["/v1/traces"]
    assert [resource["service.name"] for resource in received.resources] == ["ghostrouter"]
    assert received.scopes == {("ghostrouter", "https://opentelemetry.io/schemas/1.44.0")}
    assert [(s.name, s.kind) for s in received.spans] == [
        ("POST /v1/chat/completions", "SERVER"),
        ("classify", "INTERNAL"),
        ("route", "INTERNAL"),
        ("chat small", "CLIENT"),
        ("seam", "INTERNAL"),
        ("chat large", "CLIENT"),
    ]
    root, classify, route, first, seam, second = received.spans
    assert len({s.trace_id for s in received.spans}) == 1
    assert len({s.span_id for s in received.spans}) == 6
    assert root.parent_id == ""
    assert {s.parent_id for s in received.spans[1:]} == {root.span_id}
    assert not any(s.failed for s in received.spans)

    for span in received.spans:
        assert began_ns <= span.start_ns <= span.end_ns <= ended_ns, span.name
        assert root.start_ns <= span.start_ns and span.end_ns <= root.end_ns, span.name
    assert classify.end_ns == route.start_ns
    assert route.end_ns <= first.start_ns
    assert first.end_ns == seam.start_ns
    assert seam.start_ns <= second.start_ns < seam.end_ns <= second.end_ns

    first_chunk_s = root.attributes.pop("gen_ai.response.time_to_first_chunk")
    assert 0 < first_chunk_s < (root.end_ns - root.start_ns) / 1e9
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "gen_ai.conversation.id": trace["id"],
        "gen_ai.response.finish_reasons": ["stop"],
        "ghostrouter.outcome": "complete",
        "ghostrouter.handoffs": 1,
        "ghostrouter.kept_tokens": len(ANSWER),
        "ghostrouter.cost_usd": trace["cost_usd"],
    }
    assert trace["cost_usd"] > 0
    label = trace["classification"]
    assert classify.attributes == (
        {}
        if label is None
        else {
            "ghostrouter.task": label["task"],
            "ghostrouter.layer": label["layer"],
            "ghostrouter.confidence": label["confidence"],
        }
    )
    stages_s = [route.attributes.pop(f"ghostrouter.{stage}_s") for stage in ("encode", "plan")]
    assert sum(stages_s) == pytest.approx((route.end_ns - route.start_ns) / 1e9, abs=1e-6)
    assert route.attributes == {"ghostrouter.plan": ["small", "large"], "ghostrouter.propensity": 1.0}

    asked = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.conversation.id": trace["id"],
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": CHAT["max_tokens"],
    }
    for span, told, finish in ((first, small, "handoff"), (second, large, "stop")):
        first_chunk_s = span.attributes.pop("gen_ai.response.time_to_first_chunk")
        assert 1e3 * first_chunk_s == pytest.approx(told["ttft_ms"], abs=0.01)
        assert span.attributes == asked | {
            "gen_ai.request.model": told["model"],
            "gen_ai.response.finish_reasons": [finish],
            "gen_ai.usage.input_tokens": told["usage"]["prompt_tokens"],
            "gen_ai.usage.output_tokens": told["usage"]["completion_tokens"],
            "gen_ai.usage.cache_read.input_tokens": told["usage"]["cached_tokens"],
            "ghostrouter.usage_estimated": False,
            "ghostrouter.cost_usd": told["cost_usd"],
            "ghostrouter.kept_tokens": told["tokens"],
            "ghostrouter.reason": told["reason"],
            "ghostrouter.replica": told["replica"],
        }
    assert first.attributes["gen_ai.usage.output_tokens"] == 8
    assert first.attributes["gen_ai.usage.cache_read.input_tokens"] == 3
    assert second.links == [first.span_id]
    verdict = {
        "ghostrouter.action": "handoff",
        "ghostrouter.risk": 0.97,
        "ghostrouter.position": 8,
        "ghostrouter.onset": 6,
    }
    assert first.events == [("ghostrouter.verdict", first.end_ns, verdict)]
    assert 1e3 * seam.attributes.pop("ghostrouter.stall_s") == pytest.approx(large["stall_ms"], abs=0.01)
    assert seam.attributes == {
        "ghostrouter.reason": "handoff",
        "ghostrouter.source": "small",
        "ghostrouter.target": "large",
        "ghostrouter.continuation": large["continuation"],
        "ghostrouter.kv_mode": large["kv_mode"],
        "ghostrouter.rollback_tokens": large["rollback_tokens"],
    }
    sent = b"".join(received.bodies)
    for planted in (PROMPT, "Quillfeather", KEY, ANSWER, "Oldbridge", "Xenia"):
        assert planted.encode() not in sent


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failed_session_tells_its_errors_and_no_message(received: Collector, stream: bool) -> None:
    service = Service(small=Broken(), large=Broken())
    answer = await service.post("/v1/chat/completions", CHAT | {"stream": stream})
    assert answer.status == 503
    await flush(service)
    root, first, second = (received.named(n) for n in ("POST /v1/chat/completions", "chat small", "chat large"))
    assert root.failed and first.failed and second.failed
    assert root.attributes["http.response.status_code"] == 503
    assert root.attributes["ghostrouter.outcome"] == "failed"
    assert [s.attributes["error.type"] for s in (root, first, second)] == [
        "NothingCanAnswer",
        "SegmentFailed",
        "SegmentFailed",
    ]
    assert "gen_ai.response.finish_reasons" not in first.attributes
    assert received.named("seam").attributes["ghostrouter.reason"] == "failure"
    assert b"Quillfeather" not in b"".join(received.bodies)


async def test_a_failure_after_the_headers_keeps_its_status(received: Collector) -> None:
    service = Service()
    service.writer.broken, service.writer.breaks_at = True, 4
    answer = await service.post("/v1/chat/completions", CHAT | {"stream": True})
    await flush(service)
    assert answer.status == 200
    root = received.named("POST /v1/chat/completions")
    assert (root.failed, root.attributes["http.response.status_code"]) == (True, 200)


async def test_the_callers_trace_goes_on_through_the_engines(received: Collector) -> None:
    service, small, large = handing_off()
    await service.post("/v1/chat/completions", CHAT, traceparent=SAMPLED, tracestate="vendor=1")
    await flush(service)
    root = received.named("POST /v1/chat/completions")
    assert {s.trace_id for s in received.spans} == {TRACE}
    assert {s.state for s in received.spans} == {"vendor=1"}
    assert root.parent_id == PARENT
    for writer, name in ((small, "chat small"), (large, "chat large")):
        (request,) = writer.asked
        assert dict(request.trace_headers) == {
            "traceparent": f"00-{TRACE}-{received.named(name).span_id}-01",
            "tracestate": "vendor=1",
        }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": f"00-{TRACE}-{PARENT}"},
        {"traceparent": f"ff-{TRACE}-{PARENT}-01"},
        {"traceparent": f"00-{'0' * 32}-{PARENT}-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": "planted nonsense", "tracestate": "vendor=1"},
        {"tracestate": "vendor=1"},
    ],
)
async def test_malformed_context_is_ignored(received: Collector, headers: dict[str, Any]) -> None:
    service = Service()
    assert (await service.post("/v1/chat/completions", CHAT, **headers)).status == 200
    await flush(service)
    root = received.named("POST /v1/chat/completions")
    assert (root.parent_id, root.state) == ("", "")
    assert root.trace_id not in (TRACE, "0" * 32)


async def test_two_parents_are_none(received: Collector) -> None:
    service = Service()
    parents = [(b"traceparent", SAMPLED.encode()), (b"traceparent", UNSAMPLED.encode())]
    scope = {"type": "http", "method": "POST", "path": "/prefix/call", "root_path": "/prefix", "headers": parents}
    root = exporter(service).root_span(scope)
    assert (root.parent_id, root.route, root.path) == ("", "/call", "/prefix/call")
    await flush(service)


async def test_malformed_state_does_not_break_the_trace(received: Collector) -> None:
    service = Service()
    await service.post("/v1/chat/completions", CHAT, traceparent=SAMPLED, tracestate="=,;nonsense")
    await flush(service)
    root = received.named("POST /v1/chat/completions")
    assert (root.trace_id, root.parent_id, root.state) == (TRACE, PARENT, "")


async def test_each_session_has_a_trace_of_its_own(received: Collector) -> None:
    service = Service()
    for _ in range(2):  # the same request id, and so the same session id
        await service.post("/v1/chat/completions", CHAT, x_request_id="again")
    await flush(service)
    roots = [s for s in received.spans if s.kind == "SERVER"]
    assert len({s.attributes["gen_ai.conversation.id"] for s in roots}) == 1
    assert len({s.trace_id for s in roots}) == 2


@pytest.mark.parametrize(
    ("sampler", "share", "parent", "is_sampled"),
    [
        ("", "", "", True),
        ("parentbased_traceidratio", "0", "", False),
        ("parentbased_traceidratio", "1", "", True),
        ("parentbased_traceidratio", "0", SAMPLED, True),
        ("", "", UNSAMPLED, False),
        ("always_off", "", SAMPLED, False),
    ],
)
async def test_the_standard_sampler_decides_but_handoffs_and_errors_are_kept(
    received: Collector,
    monkeypatch: pytest.MonkeyPatch,
    sampler: str,
    share: str,
    parent: str,
    is_sampled: bool,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler or "parentbased_always_on")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share or "1")
    headers: dict[str, Any] = {"traceparent": parent} if parent else {}
    plain, (switching, small, _), failing = Service(), handing_off(), Service(small=Broken())
    for service in (plain, switching, failing):
        await service.post("/v1/chat/completions", CHAT, **headers)
        await flush(service)
    outcomes = [(s.attributes["ghostrouter.outcome"], s.attributes["ghostrouter.handoffs"]) for s in roots(received)]
    assert outcomes == [*([("complete", 0)] if is_sampled else []), ("complete", 1), ("failed", 0)]
    assert dict(small.asked[0].trace_headers)["traceparent"].endswith("-01" if is_sampled else "-00")


def roots(received: Collector) -> list[Any]:
    return [s for s in received.spans if s.kind == "SERVER"]


async def test_a_session_that_another_ingress_takes_over_stays_one_trace(received: Collector) -> None:
    first = Service(lease_s=0.2)
    first.writer.pause_at = 10
    body = CHAT | {"stream": True}
    asking = asyncio.create_task(first.post("/v1/chat/completions", body, traceparent=SAMPLED))
    session = await first.writer.paused.get()
    second = Service(beside=first, lease_s=0.2)
    first.silence()
    asking_again = asyncio.create_task(second.post("/v1/chat/completions", body, last_event_id=f"{session}:0"))
    await first.writer.paused.get()  # the second one has taken the session over
    first.writer.go.set()
    assert (await asking_again).status == 200
    asking.cancel()
    await asyncio.wait([asking])
    await flush(first)
    await flush(second)
    spans = [s for s in received.spans if s.attributes.get("gen_ai.conversation.id") == session]
    (root,) = [s for s in spans if s.kind == "SERVER"]
    chats = [s for s in spans if s.kind == "CLIENT"]
    assert (root.trace_id, root.parent_id) == (TRACE, PARENT)
    assert [s.attributes["ghostrouter.reason"] for s in chats] == ["plan", "resumed"]
    assert {s.parent_id for s in chats} == {root.span_id}
    assert received.named("seam").attributes["ghostrouter.reason"] == "resumed"


async def test_a_background_answer_is_traced_when_it_is_over(received: Collector) -> None:
    service = Service()
    service.writer.pause_at = 4
    asked = {"model": "small", "input": PROMPT, "background": True}
    answer = await service.post("/v1/responses", asked)
    await service.writer.paused.get()
    assert answer.status == 200
    service.writer.go.set()
    async with asyncio.timeout(10):
        while (await service.get(f"/v1/responses/{answer.json['id']}")).json["status"] != "completed":
            await asyncio.sleep(0.01)
    await flush(service)
    root = received.named("POST /v1/responses")
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["gen_ai.conversation.id"] == answer.json["id"]


async def test_standard_variables_name_the_service(received: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,team=red")
    service = Service()
    await service.post("/v1/chat/completions", CHAT)
    await flush(service)
    (resource,) = received.resources
    assert {k: resource[k] for k in ("service.name", "deployment.environment.name", "team")} == {
        "service.name": "chat",
        "deployment.environment.name": "test",
        "team": "red",
    }


async def test_the_last_spans_are_sent_at_the_end(received: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.ingress.listening", lambda app: nullcontext())
    service = Service()
    async with service.app.router.lifespan_context(service.app):
        await service.post("/v1/chat/completions", CHAT)
        assert received.spans == []
    assert received.named("POST /v1/chat/completions")


async def test_spans_wait_until_the_response_is_sent(received: Collector) -> None:
    """No answer waits for its spans."""
    service, _, _ = handing_off()
    sent: list[str] = []
    made = exporter(service)._send

    def note_and_send(span: Span, ahead_s: float) -> None:
        sent.append("span")
        made(span, ahead_s)

    exporter(service)._send = note_and_send  # type: ignore[method-assign]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def send_and_note(message: Any) -> None:
            await send(message)
            sent.append(message["type"])

        await inner(scope, receive, send_and_note)

    inner: Any = service.app
    service.app = app  # type: ignore[assignment]
    await service.post("/v1/chat/completions", CHAT | {"stream": True})
    await flush(service)
    assert sent.count("span") == 6
    assert "span" not in sent[:-6]


async def test_a_dead_collector_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    service = Service()
    assert (await service.post("/v1/chat/completions", CHAT)).status == 200
    await flush(service)


async def test_an_exporter_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "nonsense")
    with pytest.raises(ConfigError, match="OTEL_TRACES_EXPORTER: there is no exporter `nonsense`"):
        Service()


@pytest.mark.parametrize("variables", [{}, {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
async def test_without_an_exporter_nothing_is_traced(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    service, small, _ = handing_off()
    assert (await service.post("/v1/chat/completions", CHAT, traceparent=SAMPLED)).status == 200
    assert service.ingress._span_exporter is None
    assert [request.trace_headers for request in small.asked] == [()]
