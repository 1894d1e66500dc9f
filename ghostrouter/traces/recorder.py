"""Record labelled traces: ask a running service questions, and check the answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces import checks
from ghostrouter.traces.ask import Answer, Asker
from ghostrouter.traces.jsonl import read_lines
from ghostrouter.traces.line import Line
from ghostrouter.traces.record import Question, to_line
from ghostrouter.traces.rescue import rescue_point


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded: the model that answers, and how its answers are labelled.

    `check` is the name of a check (`checks.KINDS`); None: an answer is compared with its question's one right text.
    `rescue_by` is the stronger model that wrong answers may be rescued by. Lines are `text_only` on request, and for
    models without log-probabilities.
    """

    model: str
    max_tokens: int
    text_only: bool = False
    check: str | None = None
    rescue_by: str | None = None


@dataclass(slots=True)
class Recorder:
    """Asks the models of a service."""

    recording: Recording
    client: httpx.Client
    _askers: dict[str, Asker] = field(default_factory=dict)

    def line(self, question: Question) -> Line:
        """The trace line of one question.

        Raises:
            TraceInvalid: the service does not answer, or the question lacks what its check needs.
        """
        recording = self.recording
        answer = self._asker(recording.model).ask(question.prompt)
        name = question.check or recording.check
        if name is None:
            return to_line(question, recording.model, answer)
        check = checks.named(name, lambda model, prompt: self._asker(model).text(prompt))

        def is_right(text: str) -> bool:
            return check(question.prompt, question.answer, text)

        line = to_line(question, recording.model, answer, wrong=not is_right(text_of(answer)))
        if not line.wrong or recording.rescue_by is None:
            return line
        stronger = self._asker(recording.rescue_by)
        if not is_right(stronger.text(question.prompt)):
            return line.model_copy(update={"rescue": None})
        found = rescue_point(line.tokens, lambda kept: is_right(kept + stronger.text(question.prompt, kept)))
        return line.model_copy(update={"rescue": found.point, "rescue_monotonic": found.monotonic})

    def _asker(self, model: str) -> Asker:
        if model not in self._askers:
            recording = self.recording
            text_only = recording.text_only and model == recording.model
            self._askers[model] = Asker(self.client, model, recording.max_tokens, text_only)
        return self._askers[model]


def text_of(answer: Answer) -> str:
    """The text of an answer."""
    return "".join(answer.pieces if answer.entries is None else (str(e["token"]) for e in answer.entries))


def record_file(
    asked: list[Question], out: Path, url: str, recording: Recording, headers: Mapping[str, str] | None = None
) -> Iterator[Line]:
    """Ask the questions, one after the other, and write one line for each; yields each line that is written.

    A file that exists is gone on with: as many questions as it has lines are skipped. `headers` go with every request.

    Raises:
        TraceInvalid: the service does not answer, or the file is of other questions or another model.
    """
    begun = lines_of(out)
    for question, line in zip(asked, begun, strict=False):
        if (line.prompt, line.model) != (question.prompt, recording.model):
            raise TraceInvalid(f"{out} has answers to other questions, or of another model")
    with httpx.Client(base_url=url, headers=headers) as client, out.open("a", encoding="utf-8") as file:
        recorder = Recorder(recording, client)
        for question in asked[len(begun) :]:
            line = recorder.line(question)
            file.write(line.model_dump_json(exclude_unset=True) + "\n")
            file.flush()
            yield line


def lines_of(out: Path) -> list[Line]:
    """The lines that a file has already. A last line that was cut off is removed from it."""
    if not out.exists() or not out.stat().st_size:
        return []
    content = out.read_bytes()
    if not content.endswith(b"\n"):
        content = content[: content.rfind(b"\n") + 1]
        out.write_bytes(content)
    return read_lines(out, Line) if content else []
