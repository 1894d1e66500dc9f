"""OpenAI's own types as judges of what we send."""

from typing import Any, get_args

from openai import BaseModel
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

_EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_KINDS = {kind.model_fields["type"].annotation: kind for kind in get_args(get_args(ResponseStreamEvent)[0])}


def check_event(body: dict[str, Any]) -> Any:
    """The event, if it is one of OpenAI's: its own type, strictly, without fields that OpenAI does not have."""
    event = _EVENTS.validate_python(body, strict=True)
    kinds = [kind for names, kind in _KINDS.items() if get_args(names) == (body["type"],)]
    assert [type(event)] == kinds
    _no_extras(event)
    return event


def check_response(body: dict[str, Any]) -> Response:
    """The Response object, under the same conditions."""
    response = Response.model_validate(body, strict=True)
    _no_extras(response)
    return response


def _no_extras(value: Any) -> None:
    """OpenAI's models let unknown fields pass; only our `ghost`, in the Response object, may be one."""
    if isinstance(value, BaseModel):
        extra = set(value.model_extra or ())
        assert extra <= ({"ghost"} if isinstance(value, Response) else set()), (type(value), extra)
        for name in type(value).model_fields:
            _no_extras(getattr(value, name))
    elif isinstance(value, list):
        for one in value:
            _no_extras(one)
