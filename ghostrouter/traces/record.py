"""The trace line of an answer to a question."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.ask import Answer
from ghostrouter.traces.jsonl import read_lines
from ghostrouter.traces.line import Line

_UNKNOWN_LOGPROB = -9999.0  # what OpenAI says of a log-probability that it does not know


class Question(BaseModel):
    """A question, and what its answer is checked by: the one right text, or the reference of a check (`traces.checks`).

    `check` names a check for this question alone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    answer: str | None = None
    check: str | None = None
    group: str | None = None


def read_questions(path: Path) -> list[Question]:
    """Read questions from JSON lines.

    Raises:
        TraceInvalid: the file cannot be read, is empty or has a wrong line; the message is `file:line: what`.
    """
    return read_lines(path, Question)


def to_line(question: Question, model: str, answer: Answer, wrong: bool | None = None) -> Line:
    """The trace line of an answer. It is `text_only` if the answer has no log-probabilities.

    `wrong` is what a check says of it. With None its text is compared with the right one, so that it is known where the
    answer goes wrong.

    Raises:
        TraceInvalid: the answer is empty, some of its tokens came without log-probabilities, or the question has no
            right answer to compare with.
    """
    entries = answer.entries
    tokens = answer.pieces if entries is None else tuple(str(e["token"]) for e in entries)
    label: dict[str, Any] = {"wrong": wrong}
    if wrong is None:
        if question.answer is None:
            raise TraceInvalid(f"{question.prompt[:60]!r} has no `answer` to compare with")
        label = {"first_wrong": first_wrong(tokens, question.answer, answer.cut)}
    return Line(
        prompt=question.prompt,
        model=model,
        tokens=tokens,
        group=question.group or question.prompt,
        **label,
        **_numbers(question, model, answer),
    )


def _numbers(question: Question, model: str, answer: Answer) -> dict[str, Any]:
    """The fields of log-probabilities: of the likeliest tokens, or of the chosen ones if a model tells no more."""
    entries, asked = answer.entries, f"{question.prompt[:60]!r}"
    if entries is None:
        if not answer.pieces:
            raise TraceInvalid(f"{model} returned an empty answer to {asked}")
        return {"text_only": True}
    if not entries or any(e["logprob"] <= _UNKNOWN_LOGPROB for e in entries):
        raise TraceInvalid(f"{model} returned no log-probabilities for {asked}: record it as text only")
    logprobs = tuple(min(0.0, float(e["logprob"])) for e in entries)
    if not all(e.get("top_logprobs") for e in entries):
        return {"logprobs": logprobs}
    found: dict[str, Any] = {
        "top_logprobs": tuple(
            tuple(sorted((min(0.0, float(t["logprob"])) for t in e["top_logprobs"]), reverse=True)) for e in entries
        ),
        "logprobs": logprobs,
    }
    exact = [e.get("entropy_nats") for e in entries]
    return found if None in exact else found | {"entropies": tuple(exact)}


def first_wrong(tokens: Sequence[str], answer: str, cut: bool) -> int | None:
    """The index of the first token that differs from `answer`; None if there is none.

    An answer that ends too early is wrong at its last token, unless `cut` says that it reached its token limit.
    """
    written = ""
    for i, text in enumerate(tokens):
        written += text
        if not answer.startswith(written):
            return i
    return None if cut or written == answer else len(tokens) - 1
