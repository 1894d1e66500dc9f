"""Data sets from recorded sessions."""

import json
from pathlib import Path
from typing import Any

from ghostrouter.events.records import Event
from ghostrouter.learn import dataset, examples
from ghostrouter.learn.recorded import Recorded, implicit_signals, recorded

KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3


def session(id_: str, question: str = "Why?", answer: str = "Because.", at_s: float = 1.0, **trace: Any) -> Recorded:
    request: dict[str, Any] = {
        "turns": [{"role": "user", "digest": question}],
        "messages": [{"role": "user", "content": question}],
        "answer": answer,
        "segments": [{"model": "small", "reason": "plan", "text": answer, "abandoned": ""}],
    }
    body = {"outcome": "complete", "segments": [{"model": "small", "reason": "plan"}], **trace}
    return Recorded(id_, at_s, request, body, {}, ())


def with_feedback(found: Recorded, **told: Any) -> Recorded:
    return Recorded(found.id, found.at_s, found.request, found.trace, found.signals, (*found.feedback, told))


def handed_off(id_: str) -> Recorded:
    found = session(id_, "What is 2*3+4?")
    segments = [
        {"model": "small", "reason": "plan", "text": "2*3=6; ", "abandoned": "6+4=11."},
        {"model": "large", "reason": "handoff", "text": "6+4=10.", "abandoned": ""},
    ]
    found.request.update(answer="2*3=6; 6+4=10.", segments=segments)
    found.trace["segments"] = [{"model": s["model"], "reason": s["reason"]} for s in segments]
    return found


def test_events_of_a_session_come_together() -> None:
    (found,) = recorded(
        [
            Event("s/request", "s", "request", "me", 1.0, {"messages": [{"role": "user", "content": "?"}]}),
            Event.trace("me", 2.0, {"id": "s", "segments": [{"model": "small"}], "classification": {"task": "maths"}}),
            Event.feedback("s", "me", 3.0, {"rating": -1.0}),
        ]
    )
    assert (found.question, found.model, found.task, found.rating, found.at_s) == ("?", "small", "maths", -1.0, 1.0)


def test_preferences_come_from_callers_ratings_and_handoffs() -> None:
    preferred = with_feedback(session("a"), preferred="Since it must.")
    good = with_feedback(session("b", "How?", "Like so."), rating=1.0)
    bad = with_feedback(session("c", "how", "No idea."), rating=-1.0)
    found = list(examples.preferences([preferred, good, bad, handed_off("d")]))
    pairs = {e.kind: (e.row["chosen"][0]["content"], e.row["rejected"][0]["content"]) for e in found}
    assert pairs == {
        "preferred": ("Since it must.", "Because."),
        "ratings": ("Like so.", "No idea."),
        "handoff": ("2*3=6; 6+4=10.", "2*3=6; 6+4=11."),
    }
    assert found[0].row["prompt"] == [{"role": "user", "content": "Why?"}]


def test_a_handoff_whose_answer_was_rated_bad_is_no_preference() -> None:
    assert not list(examples.preferences([with_feedback(handed_off("d"), rating=-1.0)]))


def test_labels_are_the_corrected_ones_or_those_that_were_rated_good() -> None:
    told: dict[str, Any] = {"classification": {"task": "chat"}}
    corrected = with_feedback(session("a", **told), correct_task="maths")
    good, unrated = with_feedback(session("b", "Hm?", **told), rating=1.0), session("c", "Who?", **told)
    found = list(examples.labelled([corrected, good, unrated], "task"))
    assert [e.row["messages"][-1]["content"] for e in found] == ["maths", "chat"]
    (pair,) = examples.corrections([corrected, good, unrated], "task")
    assert (pair.row["chosen"][0]["content"], pair.row["rejected"][0]["content"]) == ("maths", "chat")


def test_answers_teach_what_the_small_model_could_not_write() -> None:
    kept, late = session("a"), session("b", "How?", "Like so.", outcome="cancelled")
    bad, told = handed_off("c"), with_feedback(session("d", "Where?", "Here.", outcome="failed"), preferred="There.")
    sessions = [kept, late, with_feedback(bad, rating=-1.0), told, handed_off("e")]
    found = list(examples.answered(sessions, handed_off_only=False))
    assert [(e.kind, e.row["messages"][-1]["content"]) for e in found] == [
        ("kept", "Because."),
        ("kept", "There."),
        ("handoff", "2*3=6; 6+4=10."),
    ]
    assert found[0].row["messages"][0] == {"role": "user", "content": "Why?"}
    assert [e.kind for e in examples.answered(sessions, handed_off_only=True)] == ["handoff"]


def test_repetitions_are_left_out_and_kinds_balanced() -> None:
    many = [with_feedback(session(f"{i}", f"Question {i}?"), correct_task="maths") for i in range(20)]
    few = [with_feedback(session(f"x{i}", f"Other {i}?"), correct_task="code") for i in range(3)]
    again = [with_feedback(session("again", "question 0"), correct_task="maths")]
    found = examples.distinct(examples.labelled([*many, *few, *again], "task"))
    assert len(found) == 23
    kinds = [e.kind for e in dataset.balanced(found)]
    assert (kinds.count("maths"), kinds.count("code")) == (3, 3)


def test_a_data_set_has_no_secret_no_leak_and_says_what_it_is(tmp_path: Path) -> None:
    sessions = [
        with_feedback(session(f"s{i}", f"Question {i // 2}?", at_s=float(i)), preferred=f"Better {i}. Key: {KEY}")
        for i in range(200)
    ]
    found = list(examples.preferences(sessions))
    kept = examples.distinct(found)
    card = dataset.write(tmp_path, "dpo", kept, found=len(found), balance=False, validation=0.2, test=0.2)
    rows = {p.stem: [json.loads(line) for line in p.read_text().splitlines()] for p in tmp_path.glob("*.jsonl")}
    assert {split: len(part) for split, part in rows.items()} == dict(card.examples)
    assert sum(card.examples.values()) == 200
    assert all(set(row) == {"prompt", "chosen", "rejected"} for part in rows.values() for row in part)
    questions = {split: {row["prompt"][0]["content"] for row in part} for split, part in rows.items()}
    assert not questions["train"] & questions["validation"] and not questions["train"] & questions["test"]
    assert card.shared_conversations == 0
    assert "a1B2c3D4" not in (tmp_path / "train.jsonl").read_text()
    assert sum(card.redacted.values()) == 200
    assert "path: train.jsonl" in (tmp_path / "README.md").read_text()


def test_what_callers_say_without_words() -> None:
    def asked(id_: str, at_s: float, *turns: str, outcome: str = "complete") -> Recorded:
        return Recorded(id_, at_s, {"turns": [{"digest": t} for t in turns]}, {"outcome": outcome}, {}, ())

    found = implicit_signals(
        [
            asked("first", 0.0, "q"),
            asked("again", 30.0, "q"),
            asked("late", 9_000.0, "q"),
            asked("told", 0.0, "q", "a", "next"),
            asked("changed", 20.0, "q", "a", "rather this"),
            asked("gone", 0.0, "z", outcome="disconnected"),
            handed_off("helped"),
        ]
    )
    assert found == {"first": ("retry",), "told": ("edited",), "gone": ("abandoned",), "helped": ("handoff",)}
