"""Takes the place of Ray Serve's handles: calls an object in this process, through pickle as between processes."""

import asyncio
import pickle
from collections.abc import AsyncGenerator, Generator
from typing import Any


class Handle:
    """Calls a plain object's methods as a Ray handle calls a deployment's: what goes over is pickled."""

    def __init__(self, target: Any, method_name: str = "", stream: bool = False) -> None:
        self._target = target
        self._method_name = method_name
        self._stream = stream
        self.deployment_name = type(target).__name__

    def options(self, method_name: str, stream: bool = False) -> "Handle":
        return Handle(self._target, method_name, stream)

    def __getattr__(self, method_name: str) -> "Handle":
        return self.options(method_name)

    def remote(self, *args: Any) -> Any:
        called = getattr(self._target, self._method_name)(*_sent(args))
        return StreamedResponse(called) if self._stream else Response(called)


class Response:
    """One answer of a deployment, in the making from the moment of the call."""

    def __init__(self, call: Any) -> None:
        self._task: asyncio.Task[Any] = asyncio.ensure_future(call)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        return _sent(await asyncio.shield(self._task))

    def cancel(self) -> None:
        self._task.cancel()


class StreamedResponse:
    """The answers of a streaming deployment."""

    def __init__(self, items: AsyncGenerator[Any, None]) -> None:
        self._items = items
        self.closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> "StreamedResponse":
        return self

    async def __anext__(self) -> Any:
        return _sent(await anext(self._items))

    def cancel(self) -> None:
        self.closing = asyncio.ensure_future(self._items.aclose())


def _sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
