"""Sessions as the event store has recorded them: request, trace and feedback of one session together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ghostrouter.events.records import Event

_KINDS = ("request", "trace", "signals", "feedback")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One session. `request`, `trace` and `signals` are the bodies of its events, empty if they are missing.

    `feedback` has the bodies of all feedback on it.
    """

    id: str
    at_s: float
    request: dict[str, Any]
    trace: dict[str, Any]
    signals: dict[str, Any]
    feedback: tuple[dict[str, Any], ...]

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation; empty if the operator keeps no texts."""
        found: list[dict[str, str]] = self.request.get("messages") or []
        return found

    @property
    def answer(self) -> str:
        """The answer; "" if no texts are kept, or there was none."""
        return str(self.request.get("answer") or "")

    @property
    def model(self) -> str:
        """The model that wrote the last part of the answer; "" if none did."""
        segments = self.trace.get("segments") or []
        return str(segments[-1]["model"]) if segments else ""

    @property
    def task(self) -> str:
        """The task that the prompt was labelled with; "" if it was not."""
        return str((self.trace.get("classification") or {}).get("task") or "")

    @property
    def rating(self) -> float | None:
        """The mean rating from -1 to 1; None if nobody rated the answer."""
        found = [f["rating"] for f in self.feedback if f.get("rating") is not None]
        return sum(found) / len(found) if found else None

    @property
    def is_good(self) -> bool:
        """Whether the answer is whole, and nobody rated it below 0."""
        return self.trace.get("outcome") == "complete" and (self.rating is None or self.rating >= 0)

    @property
    def was_handed_off(self) -> bool:
        """Whether another model took over in mid-answer, because the answer was at risk."""
        return any(s["reason"] == "handoff" for s in self.trace.get("segments") or [])

    @property
    def question(self) -> str:
        """The last message of the user; "" if no texts are kept."""
        return next((m["content"] for m in reversed(self.messages) if m["role"] == "user"), "")

    @property
    def conversation(self) -> str:
        """What tells conversations apart: their first message of the user, without case, spaces and punctuation."""
        return normal(next((m["content"] for m in self.messages if m["role"] == "user"), self.id))


def recorded(events: Iterable[Event]) -> list[Recorded]:
    """The sessions of events, in the order in which they were first seen."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        session = found.setdefault(event.session, {"at_s": event.at_s, "feedback": []})
        if event.kind == "feedback":
            session["feedback"].append(event.body)
        elif event.kind in _KINDS:
            session[event.kind] = event.body
    return [
        Recorded(id_, s["at_s"], s.get("request", {}), s.get("trace", {}), s.get("signals", {}), tuple(s["feedback"]))
        for id_, s in found.items()
    ]


def normal(text: str) -> str:
    """A text without case, punctuation and the length of blanks."""
    return re.sub(r"\W+", " ", text.casefold()).strip()


def implicit_signals(sessions: Sequence[Recorded], within_s: float = 600.0) -> dict[str, tuple[str, ...]]:
    """What callers say without words, by session: `retry`, `edited`, `abandoned`, `handoff`.

    * `retry`: the same conversation was sent again within `within_s` seconds.
    * `edited`: it was sent again with another last message.
    * `abandoned`: the caller went away before the end.
    * `handoff`: another model took over because the answer was at risk.

    Digests are enough: no texts are needed.
    """
    found: dict[str, list[str]] = {}
    ordered = sorted((s for s in sessions if s.request.get("turns")), key=lambda s: s.at_s)
    last: dict[tuple[str, ...], Recorded] = {}
    before_last: dict[tuple[str, ...], Recorded] = {}
    for session in ordered:
        turns = tuple(t["digest"] for t in session.request["turns"])
        again, edited = last.get(turns), before_last.get((*turns[:-1], str(len(turns))))
        if again and session.at_s - again.at_s <= within_s:
            found.setdefault(again.id, []).append("retry")
        elif edited and len(turns) > 1 and session.at_s - edited.at_s <= within_s:
            found.setdefault(edited.id, []).append("edited")
        last[turns] = before_last[(*turns[:-1], str(len(turns)))] = session
    for session in sessions:
        if session.trace.get("outcome") in ("disconnected", "cancelled"):
            found.setdefault(session.id, []).append("abandoned")
        if session.was_handed_off:
            found.setdefault(session.id, []).append("handoff")
    return {id_: tuple(dict.fromkeys(signals)) for id_, signals in found.items()}
