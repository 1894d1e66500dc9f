"""Every error GhostRouter raises on purpose.

GhostRouterError
├── ConfigError            the configuration is wrong; names the key
├── RequestError           the client's fault; never retried
│   ├── InvalidRequest
│   ├── BodyTooLarge
│   ├── Unauthorized       no key, or nobody's
│   ├── NotPermitted       the key is not for this
│   ├── TooManyRequests    the key's rate, or its running requests; says when to come again
│   ├── BudgetExceeded     some budget has no room for the call; holds the numbers
│   ├── UnknownModel
│   ├── PromptTooLong
│   ├── KeyReused          the idempotency key was used for another request
│   ├── TaskUnclear        somebody is there to say what is wanted; holds the tasks to choose from
│   └── AnswerRefused      every model that was asked refused to answer
├── SegmentFailed          an engine or a provider stopped in the middle; the session may go on elsewhere
│   ├── SegmentDrained     its replica is being taken down
│   ├── SegmentShed        its replica has too much to do
│   ├── ProviderBusy       asks to be left alone for a while, or is left alone by its breaker
│   ├── ProviderRejected   does not take this request, key or model: asking again changes nothing
│   └── ProviderRefused    the model refuses to answer
├── SeamRefused            no honest way to go on with that model; says why
├── NothingCanAnswer       every model of the plan failed or is gone
├── TraceInvalid           a file of labelled traces has a wrong line; names it
├── DeadlineExceeded       the answer took longer than it may
├── BudgetUnknown          the book of budgets does not answer
├── TraceNotFound
├── JobNotFound            nobody's, somebody else's, or kept for its time
├── CallConflict           the id of a call was used for another one
├── CallNotPermitted       what was asked for needs what the caller has not given; says what
├── StoreFailed            the event store cannot be reached
│   └── RowsRefused        it can, but does not take these rows
├── SessionNotFound        nobody's, or somebody else's
├── SessionExpired         it was kept for its time
├── SessionCancelled       its client wants no more of it
├── SessionExists          the idempotency key has found it
└── SessionMoved           another ingress writes it now

All of them survive pickling: they cross processes.
"""

from typing import Self

from ghostrouter.money import Usage


class GhostRouterError(Exception):
    """The base of all errors raised on purpose. The first argument is a message for people."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ConfigError(GhostRouterError):
    """The configuration cannot be used; the message names the key."""


class TraceInvalid(GhostRouterError):
    """A file of labelled traces cannot be used; the message names file and line."""


class RequestError(GhostRouterError):
    """The request cannot be served as it is; the message says what to change."""


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type or out of range."""


class BodyTooLarge(RequestError):
    """The request body has more bytes than are allowed."""


class UnknownModel(RequestError):
    """No model of that name is configured."""


class PromptTooLong(RequestError):
    """The prompt does not fit into the context window of any model of the plan."""


class TaskUnclear(RequestError):
    """The classifier is not sure what is wanted. `tasks` are for the body of the answer, the likeliest first."""

    def __init__(self, message: str, tasks: tuple[str, ...] = ()) -> None:
        super().__init__(message, tasks)
        self.tasks = tasks


class SegmentFailed(GhostRouterError):
    """An engine stopped before its segment ended: replica death, stall, provider error.

    `usage` is what a provider had written by then, where one was asked; None: nobody knows.
    """

    usage: Usage | None = None

    def at_no_cost(self) -> Self:
        """This, when nothing was used: nobody was asked, or who was has not begun to answer."""
        self.usage = Usage(0, 0)
        return self


class SegmentDrained(SegmentFailed):
    """The replica that writes the segment is being taken down; another one can go on."""


class SegmentShed(SegmentFailed):
    """The replica has as many requests as it may work on; another replica or model can take it."""


class ProviderBusy(SegmentFailed):
    """The provider asks to be left alone for `retry_after_s`, or its breaker does; None: it did not say how long."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class ProviderRejected(SegmentFailed):
    """The provider does not take the request, the key or the model; the same call would fail again."""


class ProviderRefused(SegmentFailed):
    """The model refuses to answer, or a filter of its provider does; another model may answer."""


class SeamRefused(GhostRouterError):
    """The target cannot go on with what the client has; the message is the reason."""


class NothingCanAnswer(GhostRouterError):
    """Every model that could have answered has failed. It may be worth another try after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class AnswerRefused(RequestError):
    """Every model that was asked refuses to answer this."""


class DeadlineExceeded(GhostRouterError):
    """The answer took longer than a session may."""


class SessionNotFound(GhostRouterError):
    """There is no session of that id for this caller."""


class SessionExpired(GhostRouterError):
    """The session's time or room in the journal is over."""


class SessionCancelled(GhostRouterError):
    """The client has cancelled the session."""


class SessionExists(GhostRouterError):
    """There is a session of that id: the same request has come in before."""


class KeyReused(RequestError):
    """The caller has used the same idempotency key for another request."""


class SessionMoved(GhostRouterError):
    """The session was claimed by another ingress; this one must stop writing."""


class TraceNotFound(GhostRouterError):
    """No trace of that id is kept (any more)."""


class JobNotFound(GhostRouterError):
    """There is no job of that id for this caller (any more)."""


class CallConflict(GhostRouterError):
    """The caller has used the same `call_id` for another call."""


class CallNotPermitted(GhostRouterError):
    """The caller may not have what it asks for as it asks for it; `details` is for the body of the answer."""

    def __init__(self, message: str, details: dict[str, list[str]] | None = None) -> None:
        super().__init__(message, details)
        self.details = details


class Unauthorized(RequestError):
    """The request carries no key, or one that is nobody's."""


class NotPermitted(RequestError):
    """The key is not for what is asked."""


class TooManyRequests(RequestError):
    """The key has no request left. `retry_after_s` says when it will have one."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class StoreFailed(GhostRouterError):
    """The event store cannot be reached, or refuses; the message holds no data."""


class RowsRefused(StoreFailed):
    """The event store does not take some of these rows, and never will."""


class BudgetExceeded(RequestError):
    """A budget has no room for the call's worst case. `numbers` are for the body of the answer."""

    def __init__(self, message: str, numbers: dict[str, float | str] | None = None) -> None:
        super().__init__(message, numbers)
        self.numbers = numbers or {}


class BudgetUnknown(GhostRouterError):
    """The book of budgets does not answer: what costs money is not begun."""
