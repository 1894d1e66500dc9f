"""Exports the spans of sessions with OpenTelemetry. Imported only where its standard variables name an exporter.

`ghostrouter.config.span_exporters` reads which. OpenTelemetry's SDK and exporters read the others: endpoint, headers,
sampler, service name, resource attributes, batches. Spans are made when a session is over, from what it has recorded. A
thread of the SDK sends them. If nobody takes them, they are dropped.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points, version

from opentelemetry import trace as otel
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace import export as otel_export
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

from deployments.session.session_handle import SessionHandle
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.errors import ConfigError
from ghostrouter.events.span_names import PROVIDERS, SCHEMA_URL
from ghostrouter.events.spans import SessionEnd, Span, is_exported, spans
from ghostrouter.sessions.entries import Outcome
from ghostrouter.span_context import RootSpan, SpanContext
from ghostrouter.tracebacks import without_message

log = logging.getLogger("ray.serve")

_GROUP = "opentelemetry_traces_exporter"
_W3C = TraceContextTextMapPropagator()
_KINDS = {"server": otel.SpanKind.SERVER, "client": otel.SpanKind.CLIENT, "internal": otel.SpanKind.INTERNAL}
_FAILED, _UNSET = otel.Status(otel.StatusCode.ERROR), otel.Status(otel.StatusCode.UNSET)


class SpanExporter:
    """Decides at a request whether its session is sampled, and exports the session's spans when it is over.

    A session with a handoff or an error is always exported.

    Raises:
        ConfigError: no exporter of that name is installed.
    """

    def __init__(self, exporters: Sequence[str], models: Mapping[str, LocalModel | CloudModel]) -> None:
        self._provider = TracerProvider(resource=_resource())
        self._processors = [otel_export.BatchSpanProcessor(_loaded(name)) for name in exporters]
        for processor in self._processors:
            self._provider.add_span_processor(processor)
        self._scope = InstrumentationScope("ghostrouter", version("ghostrouter"), SCHEMA_URL)
        self._providers = {name: _provider_name(model) for name, model in models.items()}

    def root_span(self, scope: Scope) -> RootSpan:
        """The root span of a request: below the span in its `traceparent`, else in a trace of its own."""
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        route = path.removeprefix(scope.get("root_path", ""))
        parent = _W3C.extract(_carrier(headers))
        above = otel.get_current_span(parent).get_span_context()
        ids = self._provider.id_generator
        trace_id = above.trace_id if above.is_valid else ids.generate_trace_id()
        head = self._provider.sampler.should_sample(parent, trace_id, f"{method} {route}", otel.SpanKind.SERVER)
        state = head.trace_state.to_header() if head.trace_state else ""
        context = SpanContext(
            otel.format_trace_id(trace_id),
            otel.format_span_id(ids.generate_span_id()),
            head.decision is Decision.RECORD_AND_SAMPLE,
            state,
        )
        parent_id = otel.format_span_id(above.span_id) if above.is_valid else ""
        return RootSpan(context, parent_id, method, route, path, scope.get("scheme", "http"))

    def export(self, session_handle: SessionHandle, outcome: Outcome, error: str) -> None:
        """Export the spans of a session that is over. `error` is the type of its error. Raises nothing."""
        session, exchange = session_handle.session, session_handle.exchange
        root, now_s = session.ask.root_span, time.monotonic()
        if root is None or not is_exported(session, outcome):
            return
        ahead_s = time.time() - now_s

        def send() -> None:
            try:
                end = SessionEnd(outcome, now_s, error, exchange.status if exchange else None)
                for span in spans(session, root, end, self._providers):
                    self._send(span, ahead_s)
            except Exception as fault:  # noqa: BLE001 - no answer fails for its spans
                log.error("spans.failed session=%s error=%s", session.id, without_message(fault))  # noqa: TRY400

        if exchange:
            exchange.when_over(send)
        else:
            send()

    def _send(self, span: Span, ahead_s: float) -> None:
        """Queue a span. The clock of Unix time is `ahead_s` ahead of the session's clock."""
        context = _otel_context(span.context)
        parent = _otel_context(span.context, span.parent_id) if span.parent_id else None
        readable = ReadableSpan(
            name=span.name,
            context=context,
            parent=parent,
            resource=self._provider.resource,
            attributes=span.attributes,
            events=[Event(e.name, e.attributes, _ns(e.at_s + ahead_s)) for e in span.events],
            links=[otel.Link(_otel_context(span.link))] if span.link else [],
            kind=_KINDS[span.kind],
            status=_FAILED if span.has_failed else _UNSET,
            start_time=_ns(span.start_s + ahead_s),
            end_time=_ns(span.end_s + ahead_s),
            instrumentation_scope=self._scope,
        )
        for processor in self._processors:
            processor.on_end(readable)

    def close(self) -> None:
        """Send what is queued, and stop. Blocks until then."""
        self._provider.shutdown()


def _resource() -> Resource:
    """The resource in the standard variables; its name is `ghostrouter` if they have none."""
    found = Resource.create()
    unnamed = str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return found.merge(Resource({SERVICE_NAME: "ghostrouter"})) if unnamed else found


def _loaded(name: str) -> otel_export.SpanExporter:
    """A new exporter, by the name of its entry point."""
    found = next(iter(entry_points(group=_GROUP, name=name)), None)
    if found is None:
        raise ConfigError(f"OTEL_TRACES_EXPORTER: there is no exporter `{name}`")
    exporter: otel_export.SpanExporter = found.load()()
    return exporter


def _carrier(headers: Headers) -> dict[str, str]:
    """The trace context of a request. With two `traceparent` headers there is none."""
    parents = headers.getlist("traceparent")
    if len(parents) != 1:
        return {}
    return {"traceparent": parents[0], "tracestate": ",".join(headers.getlist("tracestate"))}


def _provider_name(model: LocalModel | CloudModel) -> str:
    """OpenTelemetry's name of a model's provider."""
    name = model.provider if isinstance(model, CloudModel) else "local"
    return PROVIDERS.get(name, name)


def _otel_context(context: SpanContext, span_id: str = "") -> otel.SpanContext:
    """A span's identity in the types of OpenTelemetry; with `span_id` that of another span of the trace."""
    return otel.SpanContext(
        int(context.trace_id, 16),
        int(span_id or context.span_id, 16),
        is_remote=False,
        trace_flags=otel.TraceFlags(otel.TraceFlags.SAMPLED),  # also where the head of the trace was not sampled
        trace_state=otel.TraceState.from_header([context.state]) if context.state else None,
    )


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
