"""Random JSON schemas whose answers are short. They follow from a seed alone."""

from random import Random
from typing import Any

_NAMES = ("name", "age", "city", "tags", "ok", "größe", "price", "items", "note")


def schema(rng: Random, depth: int = 2) -> dict[str, Any]:
    """The schema of a JSON object."""
    names = rng.sample(_NAMES, rng.randint(1, 3))
    required = [n for n in names if rng.random() < 0.7]
    properties = {name: _value(rng, depth - 1) for name in names}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(rng: Random, depth: int) -> dict[str, Any]:
    kind = rng.choice(("string", "integer", "boolean", "enum", "null", *(("object", "array") if depth else ())))
    if kind == "object":
        return schema(rng, depth)
    if kind == "array":
        return {"type": "array", "items": _value(rng, depth - 1), "minItems": 0, "maxItems": 3}
    if kind == "enum":
        return {"enum": rng.sample(["red", "grün", "blue", 'a "quoted" one', 7, None], 3)}
    if kind == "string":
        return {"type": "string", "maxLength": 8}
    return {"type": "integer", "minimum": 0, "maximum": 999} if kind == "integer" else {"type": kind}
