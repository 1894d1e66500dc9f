"""The description of the API: valid, and of every route and every field."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from ghostrouter import __version__
from ghostrouter.api.openapi import BODIES, document
from tests.deployments.in_process import Service

# Pages and metrics are no part of the JSON API.
_BESIDE = ("/openapi.json", "/metrics", "/dashboard")
SCHEMAS: dict[str, Any] = document(__version__)["components"]["schemas"]


async def test_every_route_is_in_it_and_nothing_else() -> None:
    service: Any = Service()
    routes = {
        (route.path.replace("{name:path}", "{name}"), method.lower())
        for route in service.app.routes
        if isinstance(route, Route) and not route.path.startswith(_BESIDE)
        for method in set(route.methods or ()) - {"HEAD"}
    }
    told = {(path, method) for path, methods in document(__version__)["paths"].items() for method in methods}
    assert routes == told, "add the route to ghostrouter/api/openapi.yaml"


async def test_it_is_served_without_a_key() -> None:
    answer = await Service().get("/openapi.json")
    assert (answer.status, answer.json["openapi"]) == (200, "3.1.0")
    assert answer.json == document(__version__)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid_and_complete(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert {ref.removeprefix("#/components/schemas/") for ref in _refs(SCHEMAS[name])} <= set(SCHEMAS)


def _refs(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [ref for part in schema for ref in _refs(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    return own + [ref for part in schema.values() for ref in _refs(part)]


@pytest.mark.parametrize("name", BODIES)
def test_every_field_that_a_parser_reads_is_in_it(name: str) -> None:
    shape = BODIES[name]
    fields = {f.alias or n for n, f in shape.kind.model_fields.items()} - set(shape.unsupported)
    assert set(SCHEMAS[name]["properties"]) == fields | set(shape.ignored) | set(shape.unsupported)
    assert SCHEMAS[name]["additionalProperties"] is False
    for field, values in shape.unsupported.items():
        assert SCHEMAS[name]["properties"][field]["enum"] == [*values, None]
