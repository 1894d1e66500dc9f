"""Whether an answer is right: checks that need one short reference, code of one's own, or another model."""

import importlib
import json
import re
from collections.abc import Callable
from typing import Any, Final

import jsonschema

from ghostrouter.errors import TraceInvalid

Check = Callable[[str, str | None, str], bool]
"""Takes the prompt, the reference (`answer` of the question) and the text of the answer."""
Ask = Callable[[str, str], str]
"""Takes a model and a prompt; returns the text of its answer."""

_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")
_CHOICE = re.compile(r"(?<![^\W_])\(?([A-Z])\)?(?![^\W_])")
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_CLOSE = 1e-6
_JUDGE = (
    "Question:\n{prompt}\n\n{reference}Answer:\n{text}\n\nIs the final result of this answer right? Say only yes or no."
)


def number(prompt: str, reference: str | None, text: str) -> bool:
    """The last number of the answer is the last number of the reference."""
    found, wanted = _last_number(text), _last_number(_needed(prompt, reference))
    return found is not None and wanted is not None and abs(found - wanted) <= _CLOSE * max(1.0, abs(wanted))


def choice(prompt: str, reference: str | None, text: str) -> bool:
    """The last capital letter that stands alone is that of the reference."""
    found, wanted = _CHOICE.findall(text), _CHOICE.findall(_needed(prompt, reference).upper())
    return bool(found and wanted) and found[-1] == wanted[-1]


def regex(prompt: str, reference: str | None, text: str) -> bool:
    """The reference, a regular expression, occurs in the answer.

    Raises:
        TraceInvalid: it is no regular expression.
    """
    try:
        return re.search(_needed(prompt, reference), text) is not None
    except re.error as error:
        raise TraceInvalid(f"{prompt[:60]!r}: `answer` is no regular expression: {error}") from error


def json_schema(prompt: str, reference: str | None, text: str) -> bool:
    """The answer, or its last fenced block, is JSON that the reference, a JSON schema, allows.

    Raises:
        TraceInvalid: the reference is no JSON schema.
    """
    try:
        schema = json.loads(_needed(prompt, reference))
        jsonschema.Draft202012Validator.check_schema(schema)
    except (json.JSONDecodeError, jsonschema.SchemaError) as error:
        raise TraceInvalid(f"{prompt[:60]!r}: `answer` is no JSON schema") from error
    blocks = _FENCE.findall(text)
    try:
        value = json.loads(blocks[-1] if blocks else text)
    except json.JSONDecodeError:
        return False
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


_CHECKS: Final[dict[str, Check]] = {"number": number, "choice": choice, "regex": regex, "json-schema": json_schema}
KINDS: Final = (*_CHECKS, "python:MODULE:FUNCTION", "judge:MODEL", "agrees:MODEL")


def named(name: str, ask: Ask) -> Check:
    """The check of this name, one of KINDS. `ask` asks other models.

    Raises:
        TraceInvalid: there is no such check.
    """
    kind, _, rest = name.partition(":")
    if name in _CHECKS:
        return _CHECKS[name]
    if kind == "python" and rest:
        return _own(rest)
    if kind == "judge" and rest:
        return lambda prompt, reference, text: _judged(ask(rest, _question(prompt, reference, text)))
    if kind == "agrees" and rest:
        return lambda prompt, reference, text: agree(ask(rest, prompt), text)
    raise TraceInvalid(f"there is no check {name}; there are {', '.join(KINDS)}")


def agree(one: str, other: str) -> bool:
    """Whether two answers come to the same: the last number if either has one, else the words, whatever their case."""
    left, right = _last_number(one), _last_number(other)
    if left is None and right is None:
        return one.lower().split() == other.lower().split()
    return left is not None and right is not None and abs(left - right) <= _CLOSE * max(1.0, abs(left))


def _question(prompt: str, reference: str | None, text: str) -> str:
    known = f"Right answer:\n{reference}\n\n" if reference else ""
    return _JUDGE.format(prompt=prompt, reference=known, text=text)


def _judged(said: str) -> bool:
    """What a judge says.

    Raises:
        TraceInvalid: neither yes nor no.
    """
    words: list[str] = re.findall(r"[a-z]+", said.lower())
    if not words or words[0] not in ("yes", "no"):
        raise TraceInvalid(f"the judge says neither yes nor no: {said[:60]!r}")
    return words[0] == "yes"


def _own(name: str) -> Check:
    module, _, function = name.rpartition(":")
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise TraceInvalid(f"python:{name}: {error}") from error
    return lambda prompt, reference, text: bool(found(prompt, reference, text))


def _needed(prompt: str, reference: str | None) -> str:
    if reference is None:
        raise TraceInvalid(f"{prompt[:60]!r}: this check needs an `answer`")
    return reference


def _last_number(text: str) -> float | None:
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "").replace("−", "-")) if found else None
