"""A method that is called so often that its calls go over a link, past Ray Serve."""

import asyncio
from collections.abc import Callable
from typing import Any

from ray.serve.handle import DeploymentHandle

from deployments.link import Address, Link, Port, node_host


class LinkedMethod:
    """A method of a deployment, called like one of Serve's handles.

    The deployment says in `address` where its `LinkedAnswers` listen. If it offers no link, calls go through Serve.
    """

    def __init__(self, handle: DeploymentHandle, name: str) -> None:
        self._address = handle.options(method_name="address")
        self._method = handle.options(method_name=name)
        self._link: Link | None = None
        self._has_link = True
        self._connecting = asyncio.Lock()
        self._calls = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def remote(self, *args: Any) -> "asyncio.Task[Any]":
        """Call the method. The arguments are data classes of the library and built-in values.

        The task raises ConnectionError if the link breaks. The next call connects again.
        """
        return asyncio.create_task(self._call(args))

    async def _call(self, args: tuple[Any, ...]) -> Any:
        if self._needs_link:
            async with self._connecting:
                if self._needs_link:  # nobody has connected meanwhile
                    self._link = await self._connected()
        if self._link is None:
            return await self._method.remote(*args)
        self._calls += 1
        number = self._calls
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._link.send((number, args))
            return await answer
        finally:
            del self._waiting[number]

    @property
    def _needs_link(self) -> bool:
        return self._has_link and (self._link is None or self._link.is_lost)

    async def _connected(self) -> Link | None:
        """A new link; None if the deployment offers none, or cannot be reached that way now."""
        address = await self._address.remote()
        self._has_link = address is not None
        try:
            return await Link.connect(address, self._hear, self._break) if address else None
        except OSError:
            return None

    def _hear(self, link: Link, item: tuple[int, Any]) -> None:
        number, result = item
        waiting = self._waiting.get(number)
        if waiting and not waiting.done():
            waiting.set_result(result)

    def _break(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the other end is gone"))


class LinkedAnswers:
    """The deployment's end: answers calls of one method, at an address of this node."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        host = node_host()
        self._port = Port(host, self._hear) if host else None

    async def address(self) -> Address | None:
        """Where to connect to; None: there are no links here."""
        return await self._port.address() if self._port else None

    def _hear(self, link: Link, item: tuple[int, tuple[Any, ...]]) -> None:
        number, args = item
        result = self._method(*args)
        if not link.is_lost:
            link.send((number, result))
