"""The models and questions of the frontier bench: the shipped ones, or your own.

Your own come from three files, named by CONFIG, QUESTIONS and TRACES in the environment. CONFIG is a configuration for
`ghostrouter serve`. Its default route starts with the small and ends with the large model, and the large one has a
price. QUESTIONS are held-out questions, as JSON lines of `prompt` and either `answer` or `pattern`. An answer is right
if it equals `answer`, blanks aside, or contains `pattern` (RE2). TRACES are labelled traces of the small model
(docs/traces.md), of other questions than QUESTIONS.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, Self

import re2
from pydantic import BaseModel, ConfigDict, model_validator

from bench.service import ROOT
from ghostrouter.config import CloudModel, LocalModel, ServeFile
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import ConfigError
from ghostrouter.traces.jsonl import read_lines
from ghostrouter.traces.read import as_trace, read
from ghostrouter.traces.trace import Trace
from models import questions
from models.traces import TraceRecorder

_SHIPPED = "bench/frontier.yaml"


class Right(Protocol):
    """Whether a text is a right answer."""

    def __call__(self, text: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the check of its answers."""

    prompt: str
    is_right: Right


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial. `token_usd` is the cost of a token of the large model. `calibrations` are the existing ones, by model.

    `name` is the name of the results.
    """

    name: str
    config: str
    url: str
    small: str
    large: str
    token_usd: float
    calibrations: Mapping[str, Calibration]
    asked: Sequence[Asked]
    traces: Sequence[Trace]


def from_environment(n: int, seed: int, train: int) -> Trial:
    """The trial that the environment asks for, with at most `n` questions.

    Shipped questions are drawn by `seed`, and `train` others make the traces.

    Raises:
        GhostRouterError: a part of the trial is missing or invalid.
    """
    config = os.environ.get("CONFIG")
    if config is None:
        forced = TraceRecorder(ROOT / "models" / "ghost-small").forced(questions.sample("validation", 1, train))
        return _trial("frontier", _SHIPPED, drawn(n, seed), [as_trace(line) for line in forced])
    paths = [os.environ.get(name) for name in ("QUESTIONS", "TRACES")]
    if not all(paths):
        raise ConfigError("with CONFIG, QUESTIONS=held-out.jsonl and TRACES=small.jsonl are needed; see bench/trial.py")
    held_out, traces = (Path(p or "") for p in paths)
    return _trial("frontier_own", config, [q.asked() for q in read_lines(held_out, HeldOut)[:n]], read(traces))


def drawn(n: int, seed: int) -> list[Asked]:
    """Held-out questions of the shipped models."""
    return [Asked(q.prompt, partial(questions.is_correct, q)) for q in questions.sample("test", seed, n)]


class HeldOut(BaseModel):
    """A line of QUESTIONS."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str
    answer: str | None = None
    pattern: str | None = None

    @model_validator(mode="after")
    def _checkable(self) -> Self:
        if (self.answer is None) == (self.pattern is None):
            raise ValueError("`answer` or `pattern` is needed, not both")
        try:
            re2.compile(self.pattern or "")
        except re2.error as error:
            raise ValueError(f"no pattern that RE2 knows: {error}") from error
        return self

    def asked(self) -> Asked:
        """The question with its check."""
        if self.pattern is None:
            wanted = (self.answer or "").split()
            return Asked(self.prompt, lambda text: text.split() == wanted)
        search = re2.compile(self.pattern).search
        return Asked(self.prompt, lambda text: search(text) is not None)


def _trial(name: str, config: str, asked: Sequence[Asked], traces: Sequence[Trace]) -> Trial:
    file = ServeFile.load(ROOT / config)
    graph = file.graphs[0]
    small, large = (graph.routes["default"].models[i] for i in (0, -1))
    models: list[LocalModel | CloudModel] = [*graph.models, *graph.cloud]
    price = next(m.price.completion_usd_per_mtok for m in models if m.name == large)
    if small == large or not price:
        raise ConfigError(f"{config}: the default route needs two models, and the last one a price")
    judged = [m for m in graph.models if m.calibration and m.name in (small, large)]
    calibrations = {m.name: Calibration.load(ROOT / str(m.calibration)) for m in judged}
    url = f"http://{file.host}:{file.port}"
    return Trial(name, config, url, small, large, price / 1e6, calibrations, asked, traces)
