"""A data set as a folder that `datasets.load_dataset` reads: JSON lines for each split, and a data card."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ghostrouter.learn.examples import Example
from ghostrouter.redact.prompt import PromptRedactor
from ghostrouter.redact.vault import Vault

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Card:
    """What a data set contains: examples by split and by kind, its time span, and what was done to it.

    `shared_conversations` counts conversations that are in more than one split: it must be 0. `redacted` counts what
    was taken out, by kind.
    """

    name: str
    examples: Mapping[str, int]
    kinds: Mapping[str, int]
    from_s: float | None
    until_s: float | None
    repeated: int
    unbalanced: int
    redacted: Mapping[str, int]
    shared_conversations: int


def redacted(examples: Sequence[Example]) -> tuple[list[Example], dict[str, int]]:
    """The examples with placeholders for secrets and private data, and how many were taken out, by kind.

    Each example has a vault of its own, so that no placeholder links two of them.
    """
    found, counts = [], Counter[str]()
    for example in examples:
        vault = Vault()
        redactor = PromptRedactor(vault)
        found.append(replace(example, row=_texts(example.row, redactor.text)))
        counts.update(vault.counts())
    return found, dict(counts)


def _texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {k: v if k == "role" else _texts(v, change) for k, v in value.items()}
    return [_texts(v, change) for v in value] if isinstance(value, list | tuple) else value


def balanced(examples: Sequence[Example], seed: int = 0) -> list[Example]:
    """As many examples of each kind as the rarest kind has, drawn at random; their order stays."""
    by_kind: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        by_kind.setdefault(example.kind, []).append(number)
    fewest = min(map(len, by_kind.values()), default=0)
    rng = np.random.default_rng(seed)
    kept = sorted(int(i) for of in by_kind.values() for i in rng.choice(of, fewest, replace=False))
    return [examples[i] for i in kept]


def split_of(conversation: str, validation: float, test: float) -> str:
    """The split of a conversation. It depends on the conversation alone, so that it never changes."""
    draw = int.from_bytes(hashlib.sha256(conversation.encode(errors="replace")).digest()[:6], "big") / 2**48
    return "test" if draw < test else "validation" if draw < test + validation else "train"


def write(
    folder: Path,
    name: str,
    examples: Sequence[Example],
    *,
    found: int,
    balance: bool,
    validation: float,
    test: float,
    seed: int = 0,
) -> Card:
    """Write the data set `name` of distinct examples. `found` is their number before repetitions were left out.

    Raises:
        OSError: the folder cannot be written.
    """
    kept = balanced(examples, seed) if balance else list(examples)
    clean, counts = redacted(kept)
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[Example]] = {s: [] for s in SPLITS}
    for example in clean:
        parts[split_of(example.conversation, validation, test)].append(example)
    for split, part in parts.items():
        path = folder / f"{split}.jsonl"
        if part:
            path.write_text("".join(json.dumps(e.row, ensure_ascii=False) + "\n" for e in part), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
    homes = Counter(c for part in parts.values() for c in {e.conversation for e in part})
    times = [e.at_s for e in clean]
    card = Card(
        name,
        {split: len(part) for split, part in parts.items() if part},
        dict(Counter(e.kind for e in clean)),
        min(times, default=None),
        max(times, default=None),
        found - len(examples),
        len(examples) - len(kept),
        counts,
        sum(count > 1 for count in homes.values()),
    )
    (folder / "README.md").write_text(_readme(card), encoding="utf-8")
    return card


def _readme(card: Card) -> str:
    files = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split in card.examples)
    rows = "".join(f"| {kind} | {count} |\n" for kind, count in sorted(card.kinds.items()))
    taken = ", ".join(f"{count} {kind}" for kind, count in sorted(card.redacted.items())) or "nothing"
    splits = ", ".join(f"{count} in {split}" for split, count in card.examples.items()) or "none"
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n"
        f"# {card.name}\n"
        f"Exported by `ghostrouter export {card.name}` from the event store of a GhostRouter service.\n\n"
        f"* Examples: {splits}. {card.repeated} repeated ones were left out, {card.unbalanced} for balance.\n"
        f"* Time: from {_day(card.from_s)} to {_day(card.until_s)} (UTC).\n"
        f"* Taken out of the texts: {taken}.\n"
        f"* Leakage: a conversation is in one split only. In more than one: {card.shared_conversations}.\n\n"
        f"| kind | examples |\n|---|---|\n{rows}"
    )


def _day(at_s: float | None) -> str:
    return "-" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")
