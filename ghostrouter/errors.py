"""All errors that GhostRouter raises on purpose.

GhostRouterError
├── ConfigError            the configuration is wrong; the message names the key
├── RequestError           an error of the client; never retried
│   ├── InvalidRequest
│   │   └── ThreadsUnsupported  the client wants its conversation to be held here; it can send all of it instead
│   ├── BodyTooLarge
│   ├── BodyTooSlow        the body did not arrive in time
│   ├── UnsupportedBody    the body is not JSON
│   ├── HostNotServed      the service is not called by that name
│   ├── Unauthorized       no key, or an unknown key
│   ├── NotPermitted       the key does not allow this
│   ├── TooManyRequests    the key has reached its rate or its concurrent requests; says when to retry
│   ├── BudgetExceeded     a budget has no room for the call; holds the numbers
│   ├── UnknownModel
│   ├── PromptTooLong
│   ├── KeyReused          the idempotency key was used for another request
│   ├── TaskUnclear        the task is unclear and the client can be asked; holds the tasks to choose from
│   └── AnswerRefused      every model that was asked refused to answer
├── SegmentFailed          an engine or a provider stopped early; another one may continue the session
│   ├── SegmentDrained     its replica is shutting down
│   ├── SegmentPaused      its provider was asked to stop after a sentence, and the answer stays with it
│   ├── EngineGone         its replica or its engine has died, or no replica is there yet
│   ├── SegmentShed        its replica has reached its limit of requests
│   ├── ProviderBusy       the provider is rate-limited, or its circuit breaker is open
│   ├── ProviderRejected   the provider does not accept this request, key or model; a retry would fail too
│   │   └── RequestRejected    the request itself is at fault; the client's error if no other provider accepts it
│   │       └── ContextExceeded    the prompt is too long for the model
│   └── ProviderRefused    the model refuses to answer
├── SeamRefused            that model cannot continue the answer; the message is the reason
├── NothingCanAnswer       every model of the plan has failed
├── TraceInvalid           a file of labelled traces has a wrong line; the message names it
├── DeadlineExceeded       the answer took too long
├── BudgetUnknown          the ledger does not answer
├── TraceNotFound
├── JobNotFound            no such job, a job of another caller, or an expired job
├── CallConflict           the `call_id` was used for another call
├── CallNotPermitted       the call needs permissions or acknowledgements; holds which
├── StoreFailed            the event store cannot be reached
│   └── RowsRefused        it can, but does not take these rows
├── SessionNotFound        no such session, or a session of another caller
├── SessionExpired         it was kept for its time
├── SessionCancelled       the client has cancelled it
├── SessionExists          the idempotency key has found it
└── SessionMoved           another ingress writes it now

All of them can be pickled, because they cross processes.
"""

from typing import Self

from ghostrouter.money import Usage


class GhostRouterError(Exception):
    """The base of all errors raised on purpose. The first argument is a message for people."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ConfigError(GhostRouterError):
    """The configuration cannot be used. The message names the key."""


class TraceInvalid(GhostRouterError):
    """A file of labelled traces cannot be used; the message names file and line."""


class RequestError(GhostRouterError):
    """The request cannot be served. The message says what to change."""


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type or out of range."""


class ThreadsUnsupported(InvalidRequest):
    """Conversations are not held here. The client must send the whole conversation."""


class BodyTooLarge(RequestError):
    """The request body has more bytes than are allowed."""


class BodyTooSlow(RequestError):
    """The request body did not arrive in time."""


class UnsupportedBody(RequestError):
    """The body is not JSON by its `content-type`, or compressed in a way that is not known."""


class HostNotServed(RequestError):
    """The `Host` header names a host that this service is not."""


class UnknownModel(RequestError):
    """No model of that name is configured."""


class PromptTooLong(RequestError):
    """The prompt does not fit into the context window of any model of the plan."""


class TaskUnclear(RequestError):
    """The task of the prompt is unclear. `tasks` are the possible ones, the likeliest first; the answer lists them."""

    def __init__(self, message: str, tasks: tuple[str, ...] = ()) -> None:
        super().__init__(message, tasks)
        self.tasks = tasks


class SegmentFailed(GhostRouterError):
    """An engine stopped before the end of its segment: a dead replica, a stall, an error of a provider.

    `usage` is what a provider has used up to then; None if it is not known.
    """

    usage: Usage | None = None

    def at_no_cost(self) -> Self:
        """The same error with a usage of zero: no provider was called, or it had not begun to answer."""
        self.usage = Usage(0, 0)
        return self


class SegmentDrained(SegmentFailed):
    """The replica that writes the segment is shutting down. Another one can continue."""


class SegmentPaused(SegmentFailed):
    """The provider has stopped after a sentence, as it was asked to. No verdict takes the answer away: it can go on."""


class EngineGone(SegmentFailed):
    """The replica or its engine has died, or there is none at the moment; replicas come back by themselves."""


class SegmentShed(SegmentFailed):
    """The replica has reached its limit of requests. Another replica or model can take this one."""


class ProviderBusy(SegmentFailed):
    """The provider is rate-limited, or its breaker is open. `retry_after_s` is None if the time is not known."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class ProviderRejected(SegmentFailed):
    """The provider does not accept the request, the key or the model. The same call would fail again."""


class RequestRejected(ProviderRejected):
    """The provider finds fault with the request itself; another one may take it."""


class ContextExceeded(RequestRejected):
    """The prompt, or prompt and answer together, do not fit into the context window of the provider's model."""


class ProviderRefused(SegmentFailed):
    """The model, or a filter of its provider, refuses to answer. Another model may answer."""


class SeamRefused(GhostRouterError):
    """The target cannot continue the answer. The message is the reason."""


class NothingCanAnswer(GhostRouterError):
    """Every model that could answer has failed. `retry_after_s` says when a retry may help; None: not known."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class AnswerRefused(RequestError):
    """Every model that was asked refuses to answer."""


class DeadlineExceeded(GhostRouterError):
    """The answer took longer than a session is allowed to take."""


class SessionNotFound(GhostRouterError):
    """This caller has no session with that id."""


class SessionExpired(GhostRouterError):
    """The journal no longer keeps the session: its time has passed, or the room was needed."""


class SessionCancelled(GhostRouterError):
    """The client has cancelled the session."""


class SessionExists(GhostRouterError):
    """There is a session of that id: the same request has come in before."""


class KeyReused(RequestError):
    """The caller has used the same idempotency key for another request."""


class SessionMoved(GhostRouterError):
    """Another ingress has claimed the session. This one must stop writing."""


class TraceNotFound(GhostRouterError):
    """There is no trace with that id, or it is no longer kept."""


class JobNotFound(GhostRouterError):
    """This caller has no job with that id, or it is no longer kept."""


class CallConflict(GhostRouterError):
    """The caller has used the same `call_id` for another call."""


class CallNotPermitted(GhostRouterError):
    """The call needs permissions or acknowledgements that it lacks. `details` goes into the body of the answer."""

    def __init__(self, message: str, details: dict[str, list[str]] | None = None) -> None:
        super().__init__(message, details)
        self.details = details


class Unauthorized(RequestError):
    """The request has no key, or an unknown key."""


class NotPermitted(RequestError):
    """The key does not allow the request."""


class TooManyRequests(RequestError):
    """The key has reached a limit of requests. `retry_after_s` says when it may send the next."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s


class StoreFailed(GhostRouterError):
    """The event store cannot be reached, or reports an error. The message holds no stored data."""


class RowsRefused(StoreFailed):
    """The event store does not accept some of these rows. A retry would fail too."""


class BudgetExceeded(RequestError):
    """A budget has no room for the highest possible cost of the call. `numbers` goes into the body of the answer."""

    def __init__(self, message: str, numbers: dict[str, float | str] | None = None) -> None:
        super().__init__(message, numbers)
        self.numbers = numbers or {}


class BudgetUnknown(GhostRouterError):
    """The ledger does not answer. Calls that cost money are not started."""
