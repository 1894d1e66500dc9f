"""Runs a session: the conductor writes it, the journal keeps it, the event store gets its trace."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from deployments.session.budgeted_engines import BudgetedEngines
from deployments.session.conductor import Conductor
from deployments.session.fleet_reporter import FleetReporter
from deployments.session.planner import Planner
from deployments.session.redacted_engines import RedactedEngines, client_growths
from deployments.session.session_handle import SessionHandle
from deployments.store.event_client import EventClient, Posted
from ghostrouter.api import errors
from ghostrouter.errors import SessionCancelled, SessionMoved
from ghostrouter.events import metrics, session_metrics, trace
from ghostrouter.events.exemplars import Exemplars
from ghostrouter.events.records import Event
from ghostrouter.events.session_events import session_events
from ghostrouter.events.spans import is_exported
from ghostrouter.sessions.entries import Outcome
from ghostrouter.sessions.session import Growth, Session

if TYPE_CHECKING:  # without tracing nothing of OpenTelemetry is imported
    from deployments.session.span_exporter import SpanExporter

log = logging.getLogger("ray.serve")


class SessionRunner:
    """Runs the sessions of one ingress. `keep_texts`: prompts and answers go into the event store.

    `exemplars` get the sessions that metrics have counted. `span_exporter` is None where nothing is traced.
    """

    def __init__(
        self,
        conductor: Conductor,
        budgeted: BudgetedEngines,
        redacted: RedactedEngines,
        planner: Planner,
        events: EventClient,
        emit: metrics.Emit,
        keep_texts: bool,
        fleet: FleetReporter,
        exemplars: Exemplars,
        span_exporter: "SpanExporter | None" = None,
    ) -> None:
        self._conductor = conductor
        self._budgeted = budgeted
        self._redacted = redacted
        self._planner = planner
        self._events = events
        self._emit = emit
        self._keep_texts = keep_texts
        self._fleet = fleet
        self._exemplars = exemplars
        self._span_exporter = span_exporter

    async def run(self, session_handle: SessionHandle, has_tokens: int = 0) -> AsyncGenerator[Growth, None]:
        """The growths of an answer, redacted: first the past ones, then the new ones.

        `has_tokens` is how many tokens a client has that comes back. One growth ends there.

        Raises:
            SessionMoved: another ingress has taken the session over.
            SessionCancelled: the client has cancelled it.
            GhostRouterError: what `Conductor.run` raises.
        """
        session = session_handle.session
        ticket = self._budgeted.open(session.id, session.ask.behalf)
        told = None
        try:
            told = await client_growths(session.ask, has_tokens)
            async with aclosing(self._run(session_handle)) as growths:
                async for growth in growths:
                    for part in told.push(growth):
                        yield part
        except SessionMoved:
            raise
        except Exception:
            for rest in told.flush() if told else ():
                yield rest
            raise
        finally:
            ticket.give_back()
            session_handle.release()

    async def _run(self, session_handle: SessionHandle) -> AsyncGenerator[Growth, None]:
        """The growths before redaction. The session is recorded when it is over."""
        session = session_handle.session
        for growth in session_handle.past:
            yield growth
        if session_handle.elsewhere:
            async with aclosing(session_handle.elsewhere) as followed:
                async for growth in followed:
                    yield growth
        session_handle.past = []
        log = session_handle.log
        if log is None and session_handle.failure:
            raise session_handle.failure
        if log is None and session.finish:
            return
        began_s = time.monotonic()
        self._emit(metrics.ROUTER_TIME, began_s - session.opened_at_s)
        self._planner.begin(session)
        self._fleet.begin(session, session_handle.opening.owner)
        outcome: Outcome = "disconnected"
        failure: Exception | None = None
        moved = False
        try:
            if session_handle.failure:
                raise session_handle.failure
            written = self._conductor.run(session, session_handle.prompt)
            async with aclosing(log.until_stopped(written) if log else written) as growths:
                async for growth in growths:
                    if growth.text or growth.tokens or session.finish:
                        self._fleet.grow(session)
                        if log:
                            await log.grow(growth)
                        yield growth
            outcome = "complete"
        except (SessionMoved, SessionCancelled) as stop:
            outcome, moved = "cancelled", isinstance(stop, SessionMoved)
            raise
        except Exception as error:  # noqa: BLE001 - raised again below
            outcome, failure = "failed", error
        finally:
            error_message = errors.message(failure) if failure else ""
            posted = self._record(session_handle, outcome, error_message, began_s, moved)
            if self._span_exporter and not moved:
                self._span_exporter.export(session_handle, outcome, type(failure).__name__ if failure else "")
        # Who hears of the end can read it.
        await asyncio.gather(self._events.settled(posted), *([log.ended()] if log else []))
        if failure:
            raise failure

    def _measure(self, session: Session, outcome: Outcome, inference_s: float, moved: bool) -> None:
        """Count a session that is over. It becomes the exemplar of what it was counted in."""
        measured = list(session_metrics.at_end(session, outcome, inference_s, moved))
        for metric, value, labels in measured:
            self._emit(metric, value, **labels)
        if not moved:
            root = session.ask.root_span
            trace_id = root.context.trace_id if root and is_exported(session, outcome) else ""
            measured += session_metrics.while_written(session)
            self._exemplars.note(measured, session.id, trace_id, time.time())

    def _record(
        self, session_handle: SessionHandle, outcome: Outcome, error: str, began_s: float, moved: bool
    ) -> Posted | None:
        """Report the end of a session to metrics, planner, journal and event store."""
        session, now_s = session_handle.session, time.monotonic()
        self._measure(session, outcome, now_s - began_s, moved)
        self._fleet.end(session, outcome)
        self._planner.end(session, outcome == "failed", now_s)
        session.redacted = self._redacted.counts(session.id)
        record = trace.trace(session, outcome, now_s)
        log.info(
            "session.ended session=%s outcome=%s models=%s handoffs=%d tokens=%d cost_usd=%g duration_ms=%.1f",
            session.id,
            outcome,
            "+".join(segment.model for segment in session.segments),
            session.handoffs,
            session.kept_tokens,
            record["cost_usd"],
            record["duration_ms"],
        )
        if session_handle.log:
            session_handle.log.end(outcome, record, error)
        if moved:  # the ingress that has taken it over records it
            return None
        owner, at_s = session_handle.opening.owner, time.time()
        for event in session_events(session, owner, at_s, self._keep_texts):
            self._events.post(event)
        return self._events.post(Event.trace(owner, at_s, record))
