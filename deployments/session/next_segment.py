"""Decides which model writes the next segment, and why. Pure: no I/O and no clock."""

from collections.abc import Collection
from dataclasses import dataclass

from ghostrouter.errors import (
    AnswerRefused,
    ContextExceeded,
    InvalidRequest,
    NothingCanAnswer,
    PromptTooLong,
    ProviderBusy,
    ProviderRefused,
    RequestRejected,
    SeamRefused,
    SegmentShed,
)
from ghostrouter.policy import retry, switch
from ghostrouter.sessions.segment import OpenReason
from ghostrouter.sessions.session import Session
from ghostrouter.types import KvMode


@dataclass(frozen=True, slots=True)
class NextSegment:
    """Who writes it and why. `onset` is the token from which the current segment is given up; None: keep all of it."""

    model: str
    reason: OpenReason
    detail: str
    onset: int | None = None
    kv: KvMode | None = None
    wait_s: float = 0.0


def at_start(session: Session) -> NextSegment | None:
    """The next segment of a session that has segments already; None: it has none, and the plan's first model begins."""
    if not session.segments:
        return None
    branch = session.ask.branch
    if branch and not session.own_segments:
        return NextSegment(session.plan.models[0], "branch", f"from token {branch.tokens} of {branch.session}")
    current = session.current.model
    if current in session.gone:
        target = retry.next_untried(session.plan.models, current, ())
        return NextSegment(target or current, "failure", f"{current} is not configured any more")
    return NextSegment(current, "resumed", "")


def after_end(session: Session, failed: Collection[str]) -> NextSegment:
    """The next segment after a verdict or the script has ended one."""
    current = session.current
    verdict = current.end.verdict if current.end else None
    if verdict is None:
        scripted = next(s for s in session.ask.script if s.after_tokens == session.kept_tokens)
        return NextSegment(scripted.to, "scripted", "", kv=scripted.kv)
    models = usable(session, failed)
    back = verdict.action == "hand_back"
    target = switch.cheaper(models, current.model) if back else switch.stronger(models, current.model)
    if target is None:  # the verdict came although the request forbade it
        raise NothingCanAnswer(f"{current.model} gave up the answer and the plan has no model for it")
    return NextSegment(target, "hand_back" if back else "handoff", f"risk {verdict.risk:.3f}", verdict.onset)


def after_failure(session: Session, failed: retry.Failed, recovery: retry.Recovery | None) -> NextSegment:
    """The next segment after an engine has failed.

    Raises:
        PromptTooLong: the provider says so, no token is written, and no model of the plan has a larger window.
        InvalidRequest: no model can start, and the last provider found a fault in the request itself.
        AnswerRefused: no model can continue, and the last one refused to answer.
        NothingCanAnswer: no model can continue.
    """
    failure = failed.last
    if recovery is None:
        if isinstance(failure, ContextExceeded) and not session.kept_tokens:
            raise PromptTooLong(str(failure))
        if isinstance(failure, RequestRejected) and not session.kept_tokens:
            raise InvalidRequest(str(failure))
        if isinstance(failure, ProviderRefused):
            raise AnswerRefused(str(failure))
        after_s = failure.retry_after_s if isinstance(failure, ProviderBusy) else None
        name = session.current.model
        raise NothingCanAnswer(f"{name} failed and no other model of the plan can go on: {failure}", after_s)
    reason: OpenReason = "shed" if isinstance(failure, SegmentShed) else "failure"
    return NextSegment(recovery.model, reason, str(failure), wait_s=recovery.wait_s)


def after_refusal(session: Session, failed: Collection[str], refused: NextSegment, refusal: SeamRefused) -> NextSegment:
    """The next segment if no seam to `refused` is possible.

    The current model continues if it has not failed, else the next model of the plan does.
    """
    current = session.current.model
    if refused.reason not in ("failure", "shed") and current not in failed:
        return NextSegment(current, "refused", f"{refused.reason}_refused: {refusal}")
    target = retry.next_untried(session.plan.models, current, [*failed, current])
    if target is None:
        raise NothingCanAnswer(f"no other model of the plan can go on: {refusal}")
    return NextSegment(target, refused.reason, f"{refused.detail}; {refusal}")


def usable(session: Session, failed: Collection[str]) -> list[str]:
    """The plan without the models that have failed. Verdicts never send the answer to a model that has failed."""
    return [m for m in session.plan.by_strength if m not in failed or m == session.current.model]
