"""Engines whose cost is reserved before they write and settled after."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from deployments.session.redacted_engines import RedactedEngines
from deployments.store.quota_client import QuotaClient
from ghostrouter.access.budget import Scope, nano
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.errors import BudgetExceeded, BudgetUnknown, SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.policy.value import cost_usd
from ghostrouter.policy.worst import worst_usd
from ghostrouter.redact.policy import Behalf
from ghostrouter.replay.continuation import written_tokens
from ghostrouter.types import Frame, Prompt, SegmentRequest


@dataclass(slots=True)
class _Running:
    """A session that is opened or runs: on whose behalf, and what is reserved for its first segment.

    It may run twice for a while: its client has come back before the first connection was found to be gone.
    """

    behalf: Behalf
    reserved: str = ""
    runs: int = 0


class ProtectedEngines:
    """`Engines`, for sessions that were opened here; others pass as they are."""

    def __init__(self, engines: RedactedEngines, models: Mapping[str, LocalModel | CloudModel], quotas: QuotaClient) -> None:
        self._engines = engines
        self._models = models
        self._quotas = quotas
        self._running: dict[str, _Running] = {}

    async def reserve(self, session: str, behalf: Behalf, model: str, prompt: Prompt, max_tokens: int) -> None:
        """Set the worst case of a session's first segment aside, and remember the session.

        Raises:
            BudgetExceeded: some budget has no room for it.
            BudgetUnknown: `Quotas` does not answer.
        """
        id_ = f"{session}#0"
        await self._quotas.reserve(id_, self._names(behalf, model), self._worst(model, prompt, max_tokens))
        self._open(session, _Running(behalf, reserved=id_))

    def begin(self, session: str, behalf: Behalf) -> None:
        """A session begins to run, or goes on."""
        if session not in self._running:
            self._open(session, _Running(behalf))
        self._running[session].runs += 1

    def end(self, session: str) -> None:
        """A run of a session is over."""
        if running := self._running.get(session):
            running.runs -= 1
            self.release(session)

    def release(self, session: str) -> None:
        """Give back what is set aside for a session, and forget it, unless it runs: nobody will run it any more."""
        running = self._running.get(session)
        if running is None or running.runs > 0:
            return
        del self._running[session]
        self._engines.close(session)
        if running.reserved:
            self._quotas.settle(running.reserved, 0)

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment.

        Raises:
            SegmentFailed: as the engines do; or no budget has room for it.
        """
        session = request.key.session.partition("/")[0]
        running = self._running.get(session) or _Running(Behalf())
        id_ = await self._reserved(session, running, request)
        bill = _Bill(self._models[request.model], request)
        renewing = asyncio.create_task(self._renew(id_, bill)) if self._quotas.has_budgets and id_ else None
        try:
            async with aclosing(self._engines.stream(request)) as frames:
                async for frame in frames:
                    bill.add(frame)
                    yield frame
        except SegmentFailed as failure:
            bill.usage = failure.usage
            raise
        except asyncio.CancelledError:
            bill.hang_up()
            raise
        finally:
            if renewing:
                renewing.cancel()
            if id_:
                self._quotas.settle(id_, bill.nano)

    async def _reserved(self, session: str, running: _Running, request: SegmentRequest) -> str:
        """The reservation of a segment; none is needed for one that costs nothing."""
        prompt: Prompt = request.cloud or request.prompt_ids
        amount = self._worst(request.model, prompt, request.sampling.max_tokens)
        first, running.reserved = running.reserved, ""
        if first:
            return first
        if not amount or not self._quotas.has_budgets:
            return ""
        id_ = f"{session}#{uuid.uuid4().hex[:16]}"
        try:
            await self._quotas.reserve(id_, self._names(running.behalf, request.model), amount)
        except (BudgetExceeded, BudgetUnknown) as refusal:
            raise SegmentFailed(f"{request.model}: {refusal}").at_no_cost() from None
        return id_

    async def _renew(self, id_: str, bill: "_Bill") -> None:
        while True:
            await asyncio.sleep(self._quotas.lease_s / 3)
            self._quotas.renew(id_, bill.nano)

    def _open(self, session: str, running: _Running) -> None:
        self._running[session] = running
        self._engines.open(session, running.behalf.discretion)

    def _names(self, behalf: Behalf, model: str) -> dict[Scope, str]:
        found = self._models[model]
        provider = found.provider if isinstance(found, CloudModel) else "local"
        return {
            "key": behalf.key,
            "team": behalf.team,
            "project": behalf.project,
            "organisation": behalf.organisation,
            "model": model,
            "provider": provider,
        }

    def _worst(self, model: str, prompt: Prompt, max_tokens: int) -> int:
        """What a segment costs at most, in nano-dollars."""
        return nano(worst_usd(self._models[model], prompt, max_tokens))


class _Bill:
    """What a segment has cost by now: as the provider says (`usage`), else as counted here."""

    def __init__(self, model: LocalModel | CloudModel, request: SegmentRequest) -> None:
        self._price = model.price
        prompt: Prompt = request.cloud or request.prompt_ids
        self._prompt = len(prompt) if isinstance(prompt, tuple) else prompt.prompt_tokens + prompt.instruction_tokens
        self._tokens = self._cached = 0
        self._begun = False
        self.usage: Usage | None = None

    def add(self, frame: Frame) -> None:
        self._begun = True
        self._cached = max(self._cached, frame.cached_tokens)
        self._tokens += sum(written_tokens(t) for t in (*frame.tokens, *(frame.end.held if frame.end else ())))
        if frame.end and frame.end.usage:
            self.usage = frame.end.usage

    def hang_up(self) -> None:
        """It is not waited for any more: its prompt, at least, may be read by now."""
        self._begun = True

    @property
    def nano(self) -> int:
        """Nano-dollars; a call that brought nothing costs nothing."""
        if self.usage is None and not self._begun:
            return 0
        counted = Usage(self._prompt, self._tokens, min(self._cached, self._prompt))
        return nano(cost_usd(self._price, self.usage or counted))
