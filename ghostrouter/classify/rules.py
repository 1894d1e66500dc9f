"""Layer 1: rules, in microseconds and in linear time.

RE2 searches in one pass for words that a rule requires, and tries only the rules whose words occur.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2
import yaml

from ghostrouter.classify import structure
from ghostrouter.classify.structure import Structure
from ghostrouter.errors import ConfigError
from ghostrouter.types import Classification

BUILTIN = Path(__file__).with_name("builtin.yaml")
_KEYS = {"task", "pattern", "words", "structure", "reason"}
_MAX_PROGRAM_BYTES = 1 << 22
_HEAD, _TAIL = 4_000, 1_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a pattern, or the name of a structure. `where` is its place in the configuration, for error messages."""

    task: str
    pattern: str = ""
    structure: str = ""
    reason: str = ""
    where: str = ""


class Rules:
    """Classifies by the first rule that matches. Only the beginning and the end of a long prompt are read.

    `usual` are prompts to read at the start, so that RE2's automata are built before the first request.
    """

    def __init__(
        self, by_task: Mapping[str, Sequence[str]], more: Iterable[Rule] = (), usual: Iterable[str] = ()
    ) -> None:
        own = (Rule(task, rule, where=f"routes.{task}.rules") for task, rules in by_task.items() for rule in rules)
        self._rules = [*own, *more]
        # One automaton of all rules would be five times slower on new prompts, because RE2 builds automata while it
        # reads. For the same reason usual prompts are read once at the start.
        self._filter = re2.Filter()
        self._patterns: list[int] = []
        options = _options(_MAX_PROGRAM_BYTES * 8)
        for number, rule in enumerate(self._rules):
            if rule.pattern:
                compile_rule(rule)
                self._filter.Add(rule.pattern, options)
                self._patterns.append(number)
        if self._patterns:
            self._filter.Compile()
        self._structural = [(number, rule.structure) for number, rule in enumerate(self._rules) if rule.structure]
        self._labels = [
            Classification(rule.task, "rules", 1.0, rule.reason or f"matches {rule.pattern!r}") for rule in self._rules
        ]
        for prompt in usual:
            self.classify(prompt)

    def classify(self, prompt: str, found: Structure | None = None) -> Classification | None:
        """The task of a prompt; None if no rule matches."""
        text = prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n{prompt[-_TAIL:]}"
        found = found or structure.structure(prompt)
        matched = self._filter.Match(text) if self._patterns else None
        first = self._patterns[min(matched)] if matched else len(self._rules)
        if found.names:
            first = min([first, *(number for number, name in self._structural if name in found.names)])
        return self._labels[first] if first < len(self._labels) else None


def read(path: Path) -> list[Rule]:
    """Read a YAML file: a list of `task` with `pattern`, `words` or `structure`, and an optional `reason`.

    Raises:
        ConfigError: the file cannot be used; the message names the file and the rule.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: the rules cannot be read: {error}") from error
    if not isinstance(document, list):
        raise ConfigError(f"{path}: the file must be a list of rules")
    return [_rule(f"{path}: rule {number}", entry) for number, entry in enumerate(document, 1)]


def _rule(where: str, entry: Any) -> Rule:
    if not isinstance(entry, dict) or not isinstance(entry.get("task"), str):
        raise ConfigError(f"{where}: `task` is needed")
    unknown = set(entry) - _KEYS
    if unknown:
        raise ConfigError(f"{where}: there is no key {', '.join(sorted(map(str, unknown)))}")
    if len({"pattern", "words", "structure"} & set(entry)) != 1:
        raise ConfigError(f"{where}: one of `pattern`, `words` and `structure` is needed")
    if "structure" in entry and entry["structure"] not in structure.NAMES:
        raise ConfigError(f"{where}: `structure` is one of {', '.join(structure.NAMES)}")
    pattern = str(entry.get("pattern", ""))
    if "words" in entry:
        pattern = r"\b(" + "|".join(re2.escape(str(w)) for w in entry["words"]) + r")\b"
    rule = Rule(entry["task"], pattern, entry.get("structure", ""), str(entry.get("reason", "")), where)
    if pattern:
        compile_rule(rule)
    return rule


def compile_rule(rule: Rule) -> None:
    """Check a pattern. RE2 has no look-around and no back-references, so that its time is linear in the prompt.

    Raises:
        ConfigError: RE2 does not accept the pattern, or its program is too large.
    """
    try:
        re2.compile(rule.pattern, _options(_MAX_PROGRAM_BYTES))
    except re2.error as error:
        message = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ConfigError(
            f"{rule.where}: {_short(rule.pattern)} is not an expression of RE2, which has linear time: {message}"
        ) from error


def _short(pattern: str) -> str:
    return repr(pattern if len(pattern) <= 80 else f"{pattern[:77]}...")


def _options(max_bytes: int) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = max_bytes
    return options
