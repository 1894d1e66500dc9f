"""Read judged answers: which models answered which questions well, from a CSV or from JSON lines."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ghostrouter.errors import ConfigError

Array = npt.NDArray[np.float64]
_SUFFIX = "_correct"


@dataclass(frozen=True, slots=True)
class Rows:
    """Judged answers. `good` has the shape (prompts, models): 1 is a good answer, 0 a bad one, NaN is unknown.

    The group of a prompt is its kind of question, which is known in training only; "" if there is none.
    """

    prompts: tuple[str, ...]
    groups: tuple[str, ...]
    models: tuple[str, ...]
    good: Array

    def take(self, index: npt.NDArray[np.intp]) -> "Rows":
        """Some of the rows."""
        return Rows(
            tuple(self.prompts[i] for i in index), tuple(self.groups[i] for i in index), self.models, self.good[index]
        )


def read(path: Path) -> Rows:
    """Read a CSV with the columns `prompt`, `NAME_correct` for each model and optionally `subject`, or JSON lines.

    Each JSON line has `prompt`, `model` and `good`, and may have `task`.

    Raises:
        ConfigError: the file cannot be used; the message names the line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _events(path, file.readlines()) if path.suffix == ".jsonl" else _table(path, csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the file cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _table(path: Path, reader: "csv.DictReader[str]") -> Rows:
    columns = reader.fieldnames or []
    models = [c.removesuffix(_SUFFIX) for c in columns if c.endswith(_SUFFIX)]
    if "prompt" not in columns or not models:
        raise ConfigError(
            f"{path}: the columns `prompt` and `NAME{_SUFFIX}` are needed, there are {', '.join(columns)}"
        )
    prompts, groups, good = [], [], []
    for row in reader:
        prompts.append(row["prompt"])
        groups.append(row.get("subject") or "")
        good.append([_number(path, reader.line_num, row[m + _SUFFIX]) for m in models])
    return _rows(path, prompts, groups, models, good)


def _number(path: Path, line: int, text: str | None) -> float:
    if text in (None, ""):
        return float("nan")
    try:
        value = float(str(text))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigError(f"{path}:{line}: {text!r} is not between 0 and 1")
    return value


def _events(path: Path, lines: Sequence[str]) -> Rows:
    """Rows from JSON lines. The lines of one prompt become one row."""
    by_prompt: dict[str, dict[str, float]] = {}
    groups: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            prompt, model, good = str(event["prompt"]), str(event["model"]), event["good"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}:{number}: `prompt`, `model` and `good` are needed: {error}") from error
        by_prompt.setdefault(prompt, {})[model] = _number(path, number, str(float(good)))
        groups[prompt] = str(event.get("task") or "")
    models = sorted({m for found in by_prompt.values() for m in found})
    good_rows = [[found.get(m, float("nan")) for m in models] for found in by_prompt.values()]
    return _rows(path, list(by_prompt), [groups[p] for p in by_prompt], models, good_rows)


def _rows(path: Path, prompts: list[str], groups: list[str], models: list[str], good: list[list[float]]) -> Rows:
    if not prompts:
        raise ConfigError(f"{path}: there are no rows")
    return Rows(tuple(prompts), tuple(groups), tuple(models), np.array(good, dtype=np.float64))


def join(parts: Sequence[Rows]) -> Rows:
    """Join the rows of several files. The outcomes of a model that a file does not have are unknown."""
    models = tuple(dict.fromkeys(m for part in parts for m in part.models))
    good = [np.full((len(part.prompts), len(models)), np.nan) for part in parts]
    for part, table in zip(parts, good, strict=True):
        table[:, [models.index(m) for m in part.models]] = part.good
    prompts = tuple(p for part in parts for p in part.prompts)
    return Rows(prompts, tuple(g for part in parts for g in part.groups), models, np.concatenate(good))


def pair(rows: Rows) -> Rows:
    """The rows with the columns weak and strong only, in that order.

    Raises:
        ConfigError: a column is missing, or an outcome is unknown.
    """
    missing = {"weak", "strong"} - set(rows.models)
    if missing:
        raise ConfigError(f"the columns weak{_SUFFIX} and strong{_SUFFIX} are needed")
    good = rows.good[:, [rows.models.index("weak"), rows.models.index("strong")]]
    if np.isnan(good).any():
        raise ConfigError("every row needs an outcome of both models")
    return Rows(rows.prompts, rows.groups, ("weak", "strong"), good)
