"""Apply overrides to a configuration file, and report errors with file, line, key and the nearest name."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ghostrouter.errors import ConfigError

PREFIX = "GHOSTROUTER__"
"""GHOSTROUTER__ROUTER__L2__THRESHOLD=0.85 is the override router.l2.threshold=0.85."""

Steps = tuple[str | int, ...]


def from_environment(environ: Mapping[str, str]) -> list[str]:
    """The overrides in an environment. Names become lower case, as all keys of the configuration are."""
    return [
        f"{name.removeprefix(PREFIX).lower().replace('__', '.')}={value}"
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX)
    ]


def override(args: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of `args` with every `a.b.c=value` set. The value is YAML. List entries are named by number or `name`.

    Raises:
        ConfigError: an override has no `=`, its value is not YAML, or its key does not exist.
    """
    changed: dict[str, Any] = _copied(args)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"{text!r} is not an override: write key=value, such as router.l2.threshold=0.85")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"{key}: the value is not YAML: {value!r}") from error
        *path, last = key.split(".")
        at: Any = changed
        for step in path:
            at = at.setdefault(step, {}) if isinstance(at, dict) else _entry(at, step, key)
        if isinstance(at, dict):
            at[last] = parsed
        elif isinstance(at, list) and last.isdecimal() and int(last) < len(at):
            at[int(last)] = parsed
        else:
            raise ConfigError(f"{key}: there is no such key to set")
    return changed


def _copied(value: Any) -> Any:
    """A copy without shared YAML anchors, so that an override of one model does not change another."""
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


def _entry(at: Any, step: str, key: str) -> Any:
    if isinstance(at, list):
        if step.isdecimal() and int(step) < len(at):
            return at[int(step)]
        for entry in at:
            if isinstance(entry, dict) and entry.get("name") == step:
                return entry
        names = [str(e["name"]) for e in at if isinstance(e, dict) and "name" in e]
        raise ConfigError(f"{key}: there is no {step!r}{nearest(step, names)}")
    raise ConfigError(f"{key}: {step!r} has no keys below it")


def problems(error: ValidationError, model: type[BaseModel], path: Path, under: Steps) -> str:
    """The errors, one per line: file, line, key, message. `under` is the place of the configuration in the file."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        root = None
    told = []
    for found in error.errors():
        loc: Steps = tuple(found["loc"])
        line = _line(root, (*under, *loc))
        words = found["msg"].removeprefix("Value error, ")
        if found["type"] == "extra_forbidden":
            known = sorted(_properties(model.model_json_schema(), loc[:-1]))
            words = f"there is no such key{nearest(str(loc[-1]), known)}"
        told.append(f"{path}:{line}: {'.'.join(map(str, loc)) or 'args'}: {words}")
    return "\n".join(told)


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the nearest name; empty if none is near."""
    found = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {found[0]}?" if found else ""


def _line(root: Any, loc: Steps) -> int:
    """The line of a key, counted from 1; if the key is missing, that of its nearest parent."""
    node, line = root, 1
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == str(step)]
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return int(line)


def _properties(schema: dict[str, Any], loc: Steps) -> set[str]:
    """The keys that a JSON schema allows at a place."""
    definitions = schema.get("$defs", {})

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        for option in part.get("anyOf", part.get("allOf", ())):
            if "$ref" in option:
                part = option
        return definitions.get(part["$ref"].rpartition("/")[2], {}) if "$ref" in part else part

    at = schema
    for step in loc:
        inner = at.get("items") if isinstance(step, int) else at.get("properties", {}).get(step)
        inner = inner or at.get("additionalProperties")
        if not isinstance(inner, dict):
            return set()
        at = resolved(inner)
    return set(at.get("properties", ()))


def document(path: Path) -> dict[str, Any]:
    """Read a Serve configuration file.

    Raises:
        ConfigError: the file cannot be read, is not YAML or has no applications.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the file is not YAML: {error}") from error
    if not isinstance(loaded, dict) or not isinstance(loaded.get("applications"), list):
        raise ConfigError("`applications` is missing")
    return loaded
