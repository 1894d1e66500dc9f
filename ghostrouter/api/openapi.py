"""GET /openapi.json: the description of the HTTP API (OpenAPI 3.1).

Paths and responses are in openapi.yaml. The schema of a request body is that of the type that parses it, so it cannot
differ from what the service accepts.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from ghostrouter.api import (
    branch_request,
    call_request,
    chat_request,
    completion_request,
    embeddings,
    feedback_request,
    messages_request,
    responses_request,
)
from ghostrouter.api.body import Shape

BODIES: dict[str, Shape] = {
    "ChatCompletionRequest": chat_request.SHAPE,
    "CompletionRequest": completion_request.SHAPE,
    "ResponsesRequest": responses_request.SHAPE,
    "MessagesRequest": messages_request.SHAPE,
    "CountRequest": messages_request.COUNT_SHAPE,
    "EmbeddingsRequest": embeddings.SHAPE,
    "FeedbackRequest": feedback_request.SHAPE,
    "CallRequest": call_request.SHAPE,
    "BranchRequest": branch_request.SHAPE,
}
_AT = "#/components/schemas/"
_ERRORS = {"openai": "OpenAiError", "messages": "MessagesError", "call": "CallError"}
_ID = {"in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


@cache
def document(version: str) -> dict[str, Any]:
    """The whole description, of the service's version."""
    told = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    paths = {
        path: {method: _operation(path, method, row) for method, row in methods.items()}
        for path, methods in told["paths"].items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "GhostRouter", "version": version},
        "paths": paths,
        "components": {
            "schemas": {**_bodies(), **told["schemas"]},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, method: str, row: dict[str, Any]) -> dict[str, Any]:
    error, scope = _content(_ERRORS[row.get("errors", "openai")]), row.get("scope", "call")
    answers = {str(status): _answer(name, row.get("events", False)) for status, name in row["gives"].items()}
    errors = {"4XX": {"description": "refused", "content": error}, "5XX": {"description": "failed", "content": error}}
    parameters = [{"name": n, **_ID} for n in ("id", "name") if f"{{{n}}}" in path]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in row.get("query", {}).items()]
    body = {"requestBody": {"required": True, "content": _content(row["body"])}} if "body" in row else {}
    return {
        "summary": row["summary"],
        "operationId": f"{method}{path}".replace("/", "_"),
        "parameters": parameters,
        **body,
        "responses": {**answers, **errors},
        "security": [] if scope == "none" else [{"key": []}],
        **({} if scope == "none" else {"description": f"A key needs the scope `{scope}`."}),
    }


def _answer(name: str, events: bool) -> dict[str, Any]:
    stream = {"text/event-stream": {"schema": {"$ref": f"{_AT}Event"}}} if events else {}
    return {"description": "done", "content": {**_content(name), **stream}}


def _content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"{_AT}{name}"}}}


def _bodies() -> dict[str, Any]:
    """The schemas of all request bodies, and of the types in them."""
    kinds = [(shape.kind, "validation") for shape in BODIES.values()]
    names, found = models_json_schema(kinds, ref_template=f"{_AT}{{model}}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = found["$defs"]
    for name, shape in BODIES.items():
        inner = names[(shape.kind, "validation")]["$ref"].removeprefix(_AT)
        schemas[name] = shape.completed(schemas[inner])
    return {**schemas, "RouteRequest": _route(schemas["ChatCompletionRequest"])}


def _route(chat: dict[str, Any]) -> dict[str, Any]:
    """A chat request, or one with `query` instead of messages; `model` may be left out."""
    fields = chat["properties"]
    bare = {name: f for name, f in fields.items() if name != "messages"} | {"query": {"type": "string", "minLength": 1}}
    with_query = {**chat, "properties": bare, "required": ["query"]}
    return {"anyOf": [{**chat, "required": ["messages"]}, with_query]}
