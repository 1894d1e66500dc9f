"""Where the spans of a session belong in a distributed trace (OpenTelemetry), and the W3C headers that say so.

All ids follow from the root span's, so that whoever takes a session over gives its spans the same ids.
"""

import hashlib
from dataclasses import dataclass, replace

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SpanContext:
    """The identity of one span. Ids are hexadecimal: 32 digits for the trace, 16 for the span.

    `is_sampled` is the decision at the head of the trace. `state` is the W3C `tracestate`.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""

    def child(self, name: str) -> "SpanContext":
        """A span below this one. `name` is different for each child."""
        digest = hashlib.sha256(f"{self.trace_id}/{self.span_id}/{name}".encode())
        return replace(self, span_id=digest.hexdigest()[:16])

    @property
    def headers(self) -> Headers:
        """The headers of a request to a service whose spans are children of this one."""
        parent = ("traceparent", f"00-{self.trace_id}-{self.span_id}-{self.is_sampled:02x}")
        return (parent, ("tracestate", self.state)) if self.state else (parent,)


@dataclass(frozen=True, slots=True)
class RootSpan:
    """The span of the request that opened a session: its identity and what HTTP says of it.

    `parent_id` is the caller's span; empty if the trace begins here. `stages_s` maps stages of the router to their
    seconds, in the order in which they ran.
    """

    context: SpanContext
    parent_id: str = ""
    method: str = ""
    route: str = ""
    path: str = ""
    scheme: str = ""
    stages_s: tuple[tuple[str, float], ...] = ()

    def segment(self, number: int) -> SpanContext:
        """The span of a segment."""
        return self.context.child(f"segment {number}")
