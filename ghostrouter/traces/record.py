"""Record labelled traces: ask a running service questions whose answers are known."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.ask import Answer, Asker
from ghostrouter.traces.jsonl import read_lines
from ghostrouter.traces.line import Line


class Question(BaseModel):
    """A question and its one right answer. A text has no mistake as long as it is a prefix of that answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    answer: str
    group: str | None = None


def read_questions(path: Path) -> list[Question]:
    """Read questions from JSON lines.

    Raises:
        TraceInvalid: the file cannot be read, is empty or has a wrong line; the message is `file:line: what`.
    """
    return read_lines(path, Question)


def to_line(question: Question, model: str, answer: Answer) -> Line:
    """The trace line of an answer. It is `text_only` if the answer has no log-probabilities.

    Raises:
        TraceInvalid: the answer is empty, or some of its tokens came without log-probabilities.
    """
    if answer.entries is None:
        return _of_text(question, model, answer)
    entries = answer.entries
    if not entries or not all(e.get("top_logprobs") for e in entries):
        raise TraceInvalid(
            f"{model} returned no log-probabilities for {question.prompt[:60]!r}: record it as text only"
        )
    tokens = tuple(str(e["token"]) for e in entries)
    return Line(
        prompt=question.prompt,
        model=model,
        tokens=tokens,
        top_logprobs=tuple(
            tuple(sorted((min(0.0, float(t["logprob"])) for t in e["top_logprobs"]), reverse=True)) for e in entries
        ),
        entropies=tuple(e["entropy_nats"] for e in entries) if all("entropy_nats" in e for e in entries) else None,
        logprobs=tuple(min(0.0, float(e["logprob"])) for e in entries),
        first_wrong=first_wrong(tokens, question.answer, answer.cut),
        group=question.group or question.prompt,
    )


def _of_text(question: Question, model: str, answer: Answer) -> Line:
    if not answer.pieces:
        raise TraceInvalid(f"{model} returned an empty answer to {question.prompt[:60]!r}")
    return Line(
        prompt=question.prompt,
        model=model,
        tokens=answer.pieces,
        text_only=True,
        first_wrong=first_wrong(answer.pieces, question.answer, answer.cut),
        group=question.group or question.prompt,
    )


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


def record_file(
    questions: Path,
    out: Path,
    url: str,
    model: str,
    max_tokens: int,
    text_only: bool = False,
    headers: Mapping[str, str] | None = None,
) -> int:
    """Ask all questions, one after the other, and write one line for each; returns their number.

    Lines are `text_only` on request, and for models without log-probabilities. `headers` go with every request.

    Raises:
        TraceInvalid: the questions cannot be read, or the service does not answer.
    """
    asked = read_questions(questions)
    with httpx.Client(base_url=url, headers=headers) as client, out.open("w", encoding="utf-8") as file:
        asker = Asker(client, model, max_tokens, text_only)
        for question in asked:
            line = to_line(question, model, asker.ask(question.prompt))
            file.write(line.model_dump_json(exclude_unset=True) + "\n")
    return len(asked)
