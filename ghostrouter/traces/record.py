"""Labelled traces from a running service: questions with answers in, trace lines out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.line import Line

_TOP = 20
_TIMEOUT_S = 300.0


class Question(BaseModel):
    """What is asked and the one right answer: a text is free of mistakes while it is a prefix of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    answer: str
    group: str | None = None


def read_questions(path: Path) -> list[Question]:
    """Questions as JSON lines.

    Raises:
        TraceInvalid: the file cannot be read, is empty or has a wrong line; the message names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TraceInvalid(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    out = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                out.append(Question.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "the line"
                raise TraceInvalid(f"{path}:{number}: {where}: {first['msg']}") from error
    if not out:
        raise TraceInvalid(f"{path}:1: the file is empty")
    return out


def to_line(question: Question, model: str, entries: Sequence[dict[str, Any]], cut: bool) -> Line:
    """A line from OpenAI's `logprobs.content` of a whole answer; `cut`: it ended at its token limit.

    Raises:
        TraceInvalid: the answer came without log-probabilities.
    """
    if not entries or not all(e.get("top_logprobs") for e in entries):
        raise TraceInvalid(f"{model} gives no log-probabilities; a trace needs them")
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
        first_wrong=first_wrong(tokens, question.answer, cut),
        group=question.group or question.prompt,
    )


def first_wrong(tokens: Sequence[str], answer: str, cut: bool) -> int | None:
    """The first token whose text leaves `answer`, None if none does; an answer that ends too early is wrong at its end.

    With `cut` an early end is the limit's doing and no mistake.
    """
    written = ""
    for i, text in enumerate(tokens):
        written += text
        if not answer.startswith(written):
            return i
    return None if cut or written == answer else len(tokens) - 1


def record_file(questions: Path, out: Path, url: str, model: str, max_tokens: int) -> int:
    """Ask every question, one after the other, and write a line for each; returns how many.

    Raises:
        TraceInvalid: the questions cannot be read, or the service does not answer them.
    """
    asked = read_questions(questions)
    with httpx.Client(base_url=url, timeout=_TIMEOUT_S) as client, out.open("w", encoding="utf-8") as file:
        for question in asked:
            choice = _ask(client, question, model, max_tokens)
            entries = (choice.get("logprobs") or {}).get("content") or []
            line = to_line(question, model, entries, choice.get("finish_reason") == "length")
            file.write(line.model_dump_json(exclude_unset=True) + "\n")
    return len(asked)


def _ask(client: httpx.Client, question: Question, model: str, max_tokens: int) -> dict[str, Any]:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question.prompt}],
        "temperature": 0,
        "max_tokens": max_tokens,
        "logprobs": True,
        "top_logprobs": _TOP,
    }
    try:
        response = client.post("/v1/chat/completions", json=body)
        response.raise_for_status()
        choice: dict[str, Any] = response.json()["choices"][0]
    except (httpx.HTTPError, json.JSONDecodeError, KeyError, IndexError) as error:
        raise TraceInvalid(f"{client.base_url}: {error}") from error
    return choice
