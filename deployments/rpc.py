"""Calls between deployments that an answer must not depend on.

`answer` and `in_time` wait for one call. A `DeploymentClient` also remembers that a deployment is down, so that only
the first calls pay for that.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, TypeAlias

from ray.serve.handle import DeploymentHandle, DeploymentResponse

from deployments.linked_method import LinkedMethod
from ghostrouter.events import metrics

log = logging.getLogger("ray.serve")

_PROBE_EVERY_S = 1.0
_PROBE_TIMEOUT_S = 1.0
# While a replica is being replaced; it comes back within seconds.
_RETRY_EVERY_S = 1.0


Response: TypeAlias = DeploymentResponse | asyncio.Task[Any]


class Unanswered(Exception):
    """The other deployment is too slow, is dead, or has failed."""


async def answer(response: Response, timeout_s: float) -> Any:
    """The result of a call.

    Raises:
        Unanswered: it takes too long, or the other side is dead or fails.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    except Exception as error:
        log.warning("call.failed error=%s", type(error).__name__)
        response.cancel()
        raise Unanswered(type(error).__name__) from error


async def in_time(response: Response, timeout_s: float) -> Any | None:
    """The result of a call; None if it takes too long, or if the other side is dead or fails."""
    try:
        return await answer(response, timeout_s)
    except Unanswered:
        return None


class DeploymentClient:
    """Calls one deployment, and remembers when it is down.

    If a call takes longer than its time-out, the method `probe` is called. If the probe gets no answer within a second
    either, the deployment counts as down: running calls and new ones fail at once. The probe is repeated in the
    background until it is answered; then the deployment counts as up again.

    A call that fails fast starts no probe, because it costs its caller no time. Methods in `linked` are called over a
    link.
    """

    def __init__(
        self,
        handle: DeploymentHandle,
        timeout_s: float,
        emit: metrics.Emit,
        probe: str = "ping",
        name: str = "",
        linked: Collection[str] = (),
    ) -> None:
        self._handle = handle
        self._timeout_s = timeout_s
        self._emit = emit
        self._probe = probe
        self._name = name or handle.deployment_name
        self._linked = linked
        self._methods: dict[str, DeploymentHandle | LinkedMethod] = {}
        self._calls: set[asyncio.Task[Any]] = set()
        self._probing: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self.is_down = False

    async def ask(self, method: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a method and return its result.

        Raises:
            Unanswered: the deployment is down, takes too long or fails.
        """
        if self.is_down:
            self._emit(metrics.CALLS_SKIPPED, 1, callee=self._name)
            raise Unanswered("down")
        call = asyncio.create_task(self._call(method, args, timeout_s or self._timeout_s))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            await asyncio.wait([call])
        finally:
            call.cancel()
        if call.cancelled():  # a probe found the deployment down meanwhile
            raise Unanswered("down")
        return call.result()

    async def ask_or_none(self, method: str, *args: Any, timeout_s: float | None = None) -> Any | None:
        """Call a method and return its result; None if the deployment is down, takes too long or fails."""
        try:
            return await self.ask(method, *args, timeout_s=timeout_s)
        except Unanswered:
            return None

    async def ask_until_heard(
        self, method: str, arguments: Callable[[], tuple[Any, ...]], tries: int | None = None
    ) -> Any | None:
        """Call a method until it answers, with new arguments for each try, and return its result.

        None: there was no answer in `tries` tries. The whole time for which the deployment is down counts as one try.
        """
        for _ in itertools.count() if tries is None else range(tries):
            try:
                return await self.ask(method, *arguments())
            except Unanswered:
                await asyncio.sleep(_RETRY_EVERY_S)
                if self.is_down and self._probing:
                    await asyncio.wait([self._probing])
        return None

    def tell(self, method: str, *args: Any) -> None:
        """Call a method, without waiting for it."""
        self._in_background(self.ask_or_none(method, *args))

    def tell_until_heard(self, method: str, *args: Any, tries: int) -> None:
        """Call a method until it has returned, at most `tries` times, without waiting for it."""
        self._in_background(self.ask_until_heard(method, lambda: args, tries))

    async def until_all_sent(self) -> None:
        """Wait until all messages of `tell` and `tell_until_heard` are received or given up."""
        while self._background:
            await asyncio.gather(*self._background)

    async def _call(self, method: str, args: tuple[Any, ...], timeout_s: float) -> Any:
        try:
            return await answer(self._method(method).remote(*args), timeout_s)
        except Unanswered as error:
            if isinstance(error.__cause__, TimeoutError) and self._probing is None:
                self._probing = asyncio.create_task(self._watch())
            raise

    async def _watch(self) -> None:
        """Probe until that is answered. After the first probe without an answer the deployment is down."""
        while not await self._answers_probe():
            if not self.is_down:
                self.is_down = True
                log.warning("deployment.down name=%s", self._name)
                self._emit(metrics.CALLEE_UP, 0.0, callee=self._name)
                for call in self._calls:
                    call.cancel()
            await asyncio.sleep(_PROBE_EVERY_S)
        if self.is_down:
            self.is_down = False
            log.warning("deployment.up name=%s", self._name)
            self._emit(metrics.CALLEE_UP, 1.0, callee=self._name)
        self._probing = None

    async def _answers_probe(self) -> bool:
        try:
            await answer(self._method(self._probe).remote(), _PROBE_TIMEOUT_S)
        except Unanswered:
            return False
        return True

    def _method(self, name: str) -> DeploymentHandle | LinkedMethod:
        if name not in self._methods:
            over_link = name in self._linked
            self._methods[name] = (
                LinkedMethod(self._handle, name) if over_link else self._handle.options(method_name=name)
            )
        return self._methods[name]

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
