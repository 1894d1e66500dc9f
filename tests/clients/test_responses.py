"""OpenAI's Responses API with its own client: tools, schemas, pictures, and conversations kept here."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.clients import scripted
from tests.clients.scripted import CALL, ENDLESS, PARAMETERS, SAID, TEXT, plays, protocols, until_idle, whole_text
from tests.providers.quirks.loopback import Loopback

PIXEL = f"data:image/png;base64,{scripted.PIXEL}"
TOOL: Any = {"type": "function", "name": "f", "parameters": PARAMETERS, "strict": False}
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Number(BaseModel):
    value: int


@pytest.fixture
def client(service: Loopback) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as made:
        yield made


@protocols
@pytest.mark.parametrize("streamed", [True, False])
def test_tools_in_a_conversation_that_is_kept_here(
    service: Loopback, client: OpenAI, protocol: str, streamed: bool
) -> None:
    plays(service, CALL[protocol], TEXT[protocol])

    def answer(**fields: Any) -> Any:
        if not streamed:
            return client.responses.create(model=protocol, tools=[TOOL], **fields)
        with client.responses.stream(model=protocol, tools=[TOOL], **fields) as stream:
            return stream.get_final_response()

    first = answer(input="Who?", instructions="Be brief.")
    (call,) = first.output
    assert (call.type, call.name, call.arguments, first.status) == ("function_call", "f", '{"a": 1}', "completed")
    done: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "done"}
    second = answer(input=[done], previous_response_id=first.id)
    assert (second.output_text, second.previous_response_id) == (SAID, first.id)
    asked = json.dumps(service.upstream.asked[-1], ensure_ascii=False)
    assert "Who?" in asked and "done" in asked and "Be brief." not in asked
    third = answer(input="And then?", previous_response_id=second.id)
    assert third.output_text == SAID
    asked = json.dumps(service.upstream.asked[-1], ensure_ascii=False)
    assert "Who?" in asked and SAID in asked and "And then?" in asked


def test_the_whole_conversation_may_be_sent_instead(service: Loopback, client: OpenAI) -> None:
    plays(service, CALL["openai"], TEXT["openai"])
    first = client.responses.create(model="openai", input="Who?", tools=[TOOL], store=False)
    items: Any = [{"role": "user", "content": "Who?"}, *(item.model_dump() for item in first.output)]
    items.append({"type": "function_call_output", "call_id": items[-1]["call_id"], "output": "done"})
    assert client.responses.create(model="openai", input=items, tools=[TOOL]).output_text == SAID
    with pytest.raises(openai.NotFoundError):  # it was not stored
        client.responses.create(model="openai", input="hi", previous_response_id=first.id)


def test_schemas_pictures_errors_and_cancel(service: Loopback, client: OpenAI) -> None:
    plays(service, whole_text('{"value": 4}'))
    picture: Any = {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
    asked: Any = [{"role": "user", "content": [{"type": "input_text", "text": "How many?"}, picture]}]
    parsed = client.responses.parse(model="openai", input=asked, text_format=Number)
    assert parsed.output_parsed == Number(value=4)
    told = service.upstream.asked[-1]
    assert told["response_format"]["type"] == "json_schema"
    assert told["messages"][0]["content"][1]["image_url"]["url"] == PIXEL
    with pytest.raises(openai.BadRequestError, match="tools"):
        client.responses.create(model="openai", input="hi", tools=[{"type": "web_search"}])
    plays(service, ENDLESS)
    stream = client.responses.create(model="openai", input="hi", stream=True)
    assert next(e for e in stream if e.type == "response.output_text.delta").delta == "Fo"
    stream.close()
    until_idle(service)
