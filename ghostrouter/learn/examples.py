"""Training examples from recorded sessions: preferences (DPO), answers and labelled prompts (SFT), in TRL's formats."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ghostrouter.classify.router_prompt import Label, router_prompt
from ghostrouter.learn.recorded import Recorded, normal


@dataclass(frozen=True, slots=True)
class Example:
    """An example: the `row` as it is written, its `kind` for balance, and the conversation and time that it is from."""

    row: dict[str, Any]
    kind: str
    conversation: str
    at_s: float

    @property
    def identity(self) -> str:
        """What is equal for equal examples. Case, spaces and punctuation do not count."""
        return normal(repr(sorted(self.row.items())))


def preferences(sessions: Sequence[Recorded]) -> Iterator[Example]:
    """Pairs `{prompt, chosen, rejected}` of whole answers to the same conversation.

    Kinds: `preferred` (a caller wrote a better answer), `handoff` (the kept continuation against the abandoned one),
    `ratings` (two rated answers to the same conversation).
    """
    rated: dict[str, list[Recorded]] = defaultdict(list)
    for session in sessions:
        if not session.messages or not session.answer:
            continue
        for told in session.feedback:
            if told.get("preferred"):
                yield _pair(session, told["preferred"], session.answer, "preferred")
        if session.is_good:
            yield from _handoffs(session)
        if session.rating:
            rated["\n".join(normal(m["content"]) for m in session.messages)].append(session)
    for alike in rated.values():
        good = [s for s in alike if (s.rating or 0) > 0]
        bad = [s for s in alike if (s.rating or 0) < 0]
        for better, worse in zip(good, bad, strict=False):
            yield _pair(better, better.answer, worse.answer, "ratings")


def _handoffs(session: Recorded) -> Iterator[Example]:
    """One pair per handoff: the answer as it went on, and as it would have gone on with what was given up."""
    segments, kept = session.request.get("segments") or [], ""
    for segment, after in pairwise(segments):
        kept += segment["text"]
        if after["reason"] == "handoff" and segment["abandoned"].strip() and after["text"].strip():
            yield _pair(session, kept + after["text"], kept + segment["abandoned"], "handoff")


def corrections(sessions: Sequence[Recorded], label: Label) -> Iterator[Example]:
    """Pairs for a router model: the corrected label against the one that was used."""
    for session in sessions:
        used = session.task if label == "task" else session.model
        for told in session.feedback:
            right = told.get(f"correct_{label}")
            if session.question and right and used and right != used:
                row = {"prompt": _asked(session.question, label), "chosen": _said(right), "rejected": _said(used)}
                yield Example(row, right, session.conversation, session.at_s)


def labelled(sessions: Sequence[Recorded], label: Label) -> Iterator[Example]:
    """Chats `{messages}` for a router model: the prompt, and the right label.

    It is what a caller has corrected it to, else the one that was used, if the answer was rated above 0.
    """
    for session in sessions:
        told = [f[f"correct_{label}"] for f in session.feedback if f.get(f"correct_{label}")]
        used = session.task if label == "task" else session.model
        right = told[-1] if told else (used if (session.rating or 0) > 0 else "")
        if session.question and right:
            messages = [*_asked(session.question, label), *_said(right)]
            yield Example({"messages": messages}, right, session.conversation, session.at_s)


def answered(sessions: Sequence[Recorded], *, handed_off_only: bool) -> Iterator[Example]:
    """Chats `{messages}` for a model that answers: the conversation, and the answer that its caller got.

    A better answer that the caller wrote takes its place. Answers that are not complete, or rated below 0, are left
    out. Kinds: `handoff` (another model took over, because the answer was at risk) and `kept`.
    """
    for session in sessions:
        preferred = [f["preferred"] for f in session.feedback if f.get("preferred")]
        answer = preferred[-1] if preferred else (session.answer if session.is_good else "")
        kind = "handoff" if session.was_handed_off else "kept"
        if session.messages and answer and (kind == "handoff" or not handed_off_only):
            yield Example({"messages": [*session.messages, *_said(answer)]}, kind, session.conversation, session.at_s)


def traces(sessions: Sequence[Recorded]) -> Iterator[Example]:
    """Whole sessions, for analyses of your own: request, trace, signals and feedback, each as JSON."""
    for session in sessions:
        row = {"id": session.id, "at_s": session.at_s} | {
            name: json.dumps(body, ensure_ascii=False)
            for name, body in (
                ("request", session.request), ("trace", session.trace), ("signals", session.signals),
                ("feedback", session.feedback),
            )
        }  # fmt: skip
        yield Example(row, session.task or "none", session.conversation, session.at_s)


def distinct(examples: Iterable[Example]) -> list[Example]:
    """The examples without repetitions; the first of equal ones stays. A pair whose answers are equal is left out."""
    found: dict[str, Example] = {}
    for example in examples:
        row = example.row
        if "chosen" in row and normal(row["chosen"][0]["content"]) == normal(row["rejected"][0]["content"]):
            continue
        found.setdefault(example.identity, example)
    return list(found.values())


def _pair(session: Recorded, chosen: str, rejected: str, kind: str) -> Example:
    row = {"prompt": session.messages, "chosen": _said(chosen), "rejected": _said(rejected)}
    return Example(row, kind, session.conversation, session.at_s)


def _asked(question: str, label: Label) -> list[dict[str, str]]:
    return [{"role": "user", "content": router_prompt(question, label)}]


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
