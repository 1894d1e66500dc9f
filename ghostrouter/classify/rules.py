"""Layer 1: regular expressions, in microseconds."""

import re
from collections.abc import Mapping, Sequence

from ghostrouter.errors import ConfigError
from ghostrouter.types import Classification


class Rules:
    """The first rule that matches wins; rules are tried in the order of the configuration."""

    def __init__(self, by_task: Mapping[str, Sequence[str]]) -> None:
        self._rules = [(task, rule, _compile(task, rule)) for task, rules in by_task.items() for rule in rules]

    def classify(self, prompt: str) -> Classification | None:
        """The task of a prompt, None when no rule matches."""
        for task, rule, pattern in self._rules:
            if pattern.search(prompt):
                return Classification(task, "rules", 1.0, f"matches {rule!r}")
        return None


def _compile(task: str, rule: str) -> re.Pattern[str]:
    try:
        return re.compile(rule, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"routes.{task}.rules: {rule!r} is no regular expression: {error}") from error
