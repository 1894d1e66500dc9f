"""Engines whose cost is reserved before they write and settled after."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from deployments.session.redacted_engines import RedactedEngines
from deployments.store.quota_client import QuotaClient
from ghostrouter.access.budget import Scope, nano
from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import images_of
from ghostrouter.errors import BudgetExceeded, BudgetUnknown, SegmentFailed
from ghostrouter.money import Usage
from ghostrouter.policy.cost import cost_usd, longest_answer, worst_usd
from ghostrouter.redact.policy import Behalf
from ghostrouter.replay.continuation import generated_tokens
from ghostrouter.sessions.ask import Ask
from ghostrouter.types import Frame, Prompt, Sampling, SegmentRequest


@dataclass(slots=True)
class _OpenSession:
    """On whose behalf a session runs, the id of the reservation for its first segment, and its tickets."""

    behalf: Behalf
    reservation: str = ""
    tickets: int = 0


class Ticket:
    """Keeps a session open. When the last ticket is given back, the reservation of the session is released.

    Each connection that may still run the session has a ticket. There may be two for a while: a client has come back
    before the server noticed that its first connection is gone.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._is_given_back = False

    def give_back(self) -> None:
        """The session no longer runs with this ticket. Calling it again does nothing."""
        if not self._is_given_back:
            self._is_given_back = True
            self._close()


class BudgetedEngines:
    """Reserves the worst case of a segment, and settles its real cost.

    A segment of a session that was not opened here bills nobody's key. Only the budgets of models and providers apply.
    """

    def __init__(
        self, engines: RedactedEngines, models: Mapping[str, LocalModel | CloudModel], quotas: QuotaClient
    ) -> None:
        self._engines = engines
        self._models = models
        self._quotas = quotas
        self._sessions: dict[str, _OpenSession] = {}

    async def reserve(self, session: str, ask: Ask, model: str, prompt: Prompt) -> Ticket:
        """Open a session, with the worst case of its first segment set aside.

        Raises:
            BudgetExceeded: a budget has no room for it.
            BudgetUnknown: `Quotas` does not answer.
        """
        reservation = f"{session}#0"
        worst = self._worst(model, prompt, ask.sampling, len(images_of(ask.messages)))
        is_reserved = await self._quotas.reserve(reservation, self._names(ask.behalf, model), worst)
        return self.open(session, ask.behalf, reservation if is_reserved else "")

    def open(self, session: str, behalf: Behalf, reservation: str = "") -> Ticket:
        """Open a session, or get one more ticket for an open one."""
        if session not in self._sessions:
            self._sessions[session] = _OpenSession(behalf, reservation)
            self._engines.open(session, behalf.discretion)
        self._sessions[session].tickets += 1
        return Ticket(lambda: self._give_back(session))

    def free_first(self, session: str) -> None:
        """Release the reservation for a first segment. Its prompt is another one, so it reserves for itself."""
        open_session = self._sessions[session]
        if open_session.reservation:
            self._quotas.settle(open_session.reservation, 0)
            open_session.reservation = ""

    def _give_back(self, session: str) -> None:
        open_session = self._sessions[session]
        open_session.tickets -= 1
        if open_session.tickets:
            return
        del self._sessions[session]
        self._engines.close(session)
        if open_session.reservation:
            self._quotas.settle(open_session.reservation, 0)

    async def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment.

        Raises:
            SegmentFailed: its engine has failed, or a budget has no room for it.
        """
        session = request.key.session.partition("/")[0]
        reservation = await self._reserved(session, request)
        bill = _Bill(self._models[request.model], request)
        renewing = asyncio.create_task(self._renew(reservation, bill)) if reservation else None
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
            if reservation:
                self._quotas.settle(reservation, bill.nano)

    async def _reserved(self, session: str, request: SegmentRequest) -> str:
        """The id of a segment's reservation; empty if no budget limits the segment."""
        open_session = self._sessions.get(session) or _OpenSession(Behalf())
        if reservation := open_session.reservation:
            open_session.reservation = ""
            return reservation
        prompt: Prompt = request.cloud or request.prompt_ids
        amount = self._worst(request.model, prompt, request.sampling, len(request.images))
        reservation = f"{session}#{uuid.uuid4().hex[:16]}"
        try:
            names = self._names(open_session.behalf, request.model)
            return reservation if await self._quotas.reserve(reservation, names, amount) else ""
        except (BudgetExceeded, BudgetUnknown) as refusal:
            raise SegmentFailed(f"{request.model}: {refusal}").at_no_cost() from None

    async def _renew(self, reservation: str, bill: "_Bill") -> None:
        while True:
            await asyncio.sleep(self._quotas.lease_s / 3)
            self._quotas.renew(reservation, bill.nano)

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

    def _worst(self, model: str, prompt: Prompt, sampling: Sampling, images: int) -> int:
        """The highest possible cost of a segment, in nano-dollars."""
        known, limit = self._models[model], sampling.max_tokens
        longest = longest_answer(known, limit, limit if sampling.wants("max_tokens") else None)
        return nano(worst_usd(known, prompt, longest, images))


class _Bill:
    """The cost of a segment so far: by the provider's `usage` if there is one, else by the tokens counted here."""

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
        self._tokens += generated_tokens(frame)
        if frame.end and frame.end.usage:
            self.usage = frame.end.usage

    def hang_up(self) -> None:
        """The client no longer waits for the segment. At least its prompt may have been read."""
        self._begun = True

    @property
    def nano(self) -> int:
        """The cost in nano-dollars.

        A segment that failed before its first frame costs nothing. One that the client left costs at least its prompt.
        """
        if self.usage is None and not self._begun:
            return 0
        counted = Usage(self._prompt, self._tokens, min(self._cached, self._prompt))
        return nano(cost_usd(self._price, self.usage or counted))
