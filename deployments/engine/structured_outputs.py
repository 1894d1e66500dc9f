"""The form of an answer, in the terms of vLLM's structured outputs."""

import json
from typing import Any

from vllm.sampling_params import StructuredOutputsParams

from deployments.engine.answer_parser import arguments_schema
from ghostrouter.conversation import Features

# Weak models would repeat a call until the answer's limit.
_MOST_CALLS = 16
# How a call is written, by vLLM's tool parser: what begins it, what is before its arguments, and what is after them.
_CALLS = {
    "hermes": ("<tool_call>\n", '{{"name": {name}, "arguments": ', "}\n</tool_call>"),
}


def structured_outputs(features: Features, tool_parser: str = "") -> StructuredOutputsParams | None:
    """What vLLM is asked for. None if the answer is free text.

    A tool choice that forces a call forces its JSON. With `auto` the text is free, and a call that begins must be a
    valid one, if it is known how the model writes calls.
    """
    if features.tools and features.tool_choice != "none":
        return _calls(features, tool_parser)
    if features.schema is not None:
        return StructuredOutputsParams(json=features.schema.schema)
    if features.json_object:
        return StructuredOutputsParams(json_object=True)
    if features.grammar is None:
        return None
    texts = features.grammar.texts
    if features.grammar.kind == "choice":
        return StructuredOutputsParams(choice=list(texts))
    if features.grammar.kind == "regex":
        return StructuredOutputsParams(regex=texts[0])
    return StructuredOutputsParams(grammar=texts[0])


def _calls(features: Features, tool_parser: str) -> StructuredOutputsParams | None:
    if features.tool_choice != "auto":
        return StructuredOutputsParams(json=_forced(features))
    return StructuredOutputsParams(grammar=_free_text(features, tool_parser)) if tool_parser in _CALLS else None


def _free_text(features: Features, tool_parser: str) -> str:
    """A grammar of llguidance: free text in which a call that begins must be a valid one.

    (vLLM's structural tags do not work with llguidance: their schemas are not read as schemas.)
    """
    trigger, begin, end = _CALLS[tool_parser]
    calls = []
    for tool in features.tools:
        schema = arguments_schema(tool) | {"x-guidance": {"whitespace_flexible": False}}
        head = begin.format(name=json.dumps(tool.name))
        calls.append(f"{json.dumps(head)} %json {json.dumps(schema)} {json.dumps(end)}")
    return f"""%llguidance {{}}
start: (trigger call)* TEXT
TEXT: /(.|\\n)*/
trigger[lazy]: TEXT {json.dumps(trigger)}
call: {" | ".join(calls)}
"""


def _forced(features: Features) -> dict[str, Any]:
    """The schema that vLLM's parsers expect of a forced call: its arguments, or an array of calls by any tools."""
    schemas = {t.name: arguments_schema(t) for t in features.tools}
    if features.tool_choice != "required":
        return schemas[features.tool_choice]
    definitions: dict[str, Any] = {}
    for schema in schemas.values():  # references are to the definitions of the whole schema
        definitions |= schema.get("$defs", {})
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": name}, "parameters": {k: v for k, v in schema.items() if k != "$defs"}},
            "required": ["name", "parameters"],
            "additionalProperties": False,
        }
        for name, schema in schemas.items()
    ]
    most = 1 if features.parallel_tool_calls is False else _MOST_CALLS
    whole = {"type": "array", "minItems": 1, "maxItems": most, "items": {"anyOf": calls}}
    return whole | ({"$defs": definitions} if definitions else {})
