"""A prompt for a model of the cloud without what is private."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ghostrouter.conversation import Features, Message, Schema, Tool
from ghostrouter.redact.json_text import JsonRedactor
from ghostrouter.redact.scan import Checks, scanner
from ghostrouter.redact.stream import Redactor
from ghostrouter.redact.vault import Vault
from ghostrouter.types import CloudPrompt

# Keywords of JSON schema whose texts are structure: types, references, names of properties.
_STRUCTURE = frozenset(
    (
        "type",
        "format",
        "pattern",
        "required",
        "dependentRequired",
        "$ref",
        "$id",
        "$schema",
        "$anchor",
        "$dynamicRef",
        "$dynamicAnchor",
    )
)
_DATA = frozenset(("enum", "const", "default", "examples", "example"))  # values, whatever their keys are called
_NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))  # schemas by name


class PromptRedactor:
    """Redacts all text of a request. What stays: names of tools, names of properties, pictures, ids of tool calls."""

    def __init__(self, vault: Vault, addresses: bool = False) -> None:
        self._vault = vault
        self._scan = scanner(addresses)
        self._checks = Checks()

    def prompt(self, prompt: CloudPrompt) -> CloudPrompt:
        """Messages, what is kept of the answer, and descriptions of tools and schemas."""
        messages = tuple(map(self._message, prompt.messages))
        return replace(prompt, messages=messages, kept=self.text(prompt.kept), features=self._features(prompt.features))

    def text(self, text: str) -> str:
        """A plain text."""
        return Redactor(self._vault, self._scan, self._checks).close(text) if text else text

    def _json(self, text: str) -> str:
        return JsonRedactor(self._vault, self._scan, self._checks).close(text) if text else text

    def _message(self, message: Message) -> Message:
        return replace(
            message,
            content=self.text(message.content),
            parts=tuple(self.text(p) if isinstance(p, str) else p for p in message.parts),
            tool_calls=tuple(replace(c, arguments=self._json(c.arguments)) for c in message.tool_calls),
            name=message.name if message.role == "tool" else self.text(message.name),
        )

    def _features(self, features: Features) -> Features:
        schema = features.schema
        return replace(
            features,
            tools=tuple(map(self._tool, features.tools)),
            schema=schema and Schema(schema.name, self._schema(schema.schema), schema.strict),
            hints=tuple((name, self.text(value)) for name, value in features.hints),
        )

    def _tool(self, tool: Tool) -> Tool:
        return replace(tool, description=self.text(tool.description), parameters=self._schema(tool.parameters))

    def _schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._keyword(key, value) for key, value in schema.items()}

    def _keyword(self, key: str, value: Any) -> Any:
        if key in _DATA:
            return self._data(value)
        if key in _STRUCTURE:
            return value
        if key in _NAMED and isinstance(value, Mapping):
            return {name: self._keyword("", schema) for name, schema in value.items()}
        if isinstance(value, Mapping):
            return self._schema(value)
        if isinstance(value, list | tuple):
            return [self._keyword("", item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _data(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {self.text(key): self._data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._data(item) for item in value]
        return self.text(value) if isinstance(value, str) else value
