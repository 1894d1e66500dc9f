"""What was recorded of real models: one JSON line per answer, found again by a hash of all that it depends on.

A recording takes hours. It may be stopped at any time: what is in the file is not asked again.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

_DIGITS = 5


class Asking(BaseModel):
    """All that an answer depends on. `kept` is the text that another model wrote before; `seed` is that of sampling.

    With `signals` the likeliest tokens are recorded too. The answer does not depend on that.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    prompt: str
    max_tokens: int
    kept: str = ""
    seed: int = 0
    temperature: float = 0.0
    signals: bool = False

    @property
    def key(self) -> str:
        """A hash that differs between askings."""
        return hashlib.sha256(self.model_dump_json(exclude={"signals"}).encode()).hexdigest()[:24]


class Recorded(BaseModel):
    """An answer, token by token. `seconds` is the time it took, `cut` says that it reached its token limit.

    `top_logprobs` and `entropies` are None where they were not asked for, or where the model does not tell them.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...] | None = None
    top_logprobs: tuple[tuple[float, ...], ...] | None = None
    entropies: tuple[float, ...] | None = None
    prompt_tokens: int
    seconds: float
    cut: bool

    @property
    def text(self) -> str:
        return "".join(self.tokens)


class Store:
    """The answers of one file. New ones are appended at once; a last line that was cut off is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._known = {line.key: line for line in map(_read, _whole_lines(path))}

    def get(self, asking: Asking) -> Recorded | None:
        """What is known; None if nothing is, or not the signals that are asked for."""
        found = self._known.get(asking.key)
        return None if found is None or (asking.signals and found.logprobs is None) else found

    def add(self, recorded: Recorded) -> None:
        """Keep an answer, on the disk too."""
        self._known[recorded.key] = recorded
        with self._path.open("a", encoding="utf-8") as file:
            file.write(recorded.model_dump_json(exclude_none=True) + "\n")

    def __len__(self) -> int:
        return len(self._known)


def to_recorded(asking: Asking, response: dict[str, Any], seconds: float) -> Recorded:
    """An answer of OpenAI's chat completions with log-probabilities.

    Raises:
        RuntimeError: the answer has no tokens with log-probabilities.
    """
    choice = response["choices"][0]
    entries = (choice.get("logprobs") or {}).get("content") or ()
    if not entries:
        raise RuntimeError(f"{asking.model} returned no log-probabilities: {json.dumps(choice)[:200]}")
    entropies = [e.get("entropy_nats") for e in entries]
    return Recorded(
        key=asking.key,
        tokens=tuple(e["token"] for e in entries),
        logprobs=tuple(_logprob(e) for e in entries) if asking.signals else None,
        top_logprobs=_tops(entries) if asking.signals else None,
        entropies=tuple(entropies) if asking.signals and None not in entropies else None,
        prompt_tokens=response["usage"]["prompt_tokens"],
        seconds=seconds,
        cut=choice["finish_reason"] == "length",
    )


def _tops(entries: Sequence[dict[str, Any]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(sorted(map(_logprob, e["top_logprobs"]), reverse=True)) for e in entries)


def _logprob(entry: dict[str, Any]) -> float:
    return round(min(0.0, float(entry["logprob"])), _DIGITS)


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    content = path.read_text(encoding="utf-8")
    whole = content[: content.rfind("\n") + 1]
    if whole != content:
        path.write_text(whole, encoding="utf-8")
    return whole.splitlines()


def _read(line: str) -> Recorded:
    return Recorded.model_validate_json(line)
