"""The HTTP exchange of a traced request: where its root span belongs, and with which status it was answered."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ghostrouter.span_context import RootSpan


class HttpExchange:
    """A request and its response. The middleware reports the response; spans are exported when it is sent."""

    def __init__(self, root_span: RootSpan) -> None:
        self._root_span = root_span
        self.status: int | None = None
        self._is_over = False
        self._waiting: list[Callable[[], None]] = []

    def root_span(self, stages_s: Mapping[str, float]) -> RootSpan:
        """The root span of the session that the request opens."""
        return replace(self._root_span, stages_s=tuple(stages_s.items()))

    def close(self) -> None:
        """The response is sent, or the client has left."""
        self._is_over = True
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def when_over(self, call: Callable[[], None]) -> None:
        """Call when the response is sent, so that it does not wait for the call; at once if it is sent already."""
        if self._is_over:
            call()
        else:
            self._waiting.append(call)
