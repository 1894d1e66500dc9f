"""JSON schemas, errors and cancelled streams, with the clients that share the lock."""

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel

from tests.clients.scripted import ASKED, CALL, ENDLESS, PARAMETERS, SAID, TEXT, TOOL, plays, until_idle, whole_text
from tests.providers.quirks.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # some keep their connections open


class Number(BaseModel):
    value: int


FOUR = whole_text('{"value": 4}')
WANTED = {"type": "object", "properties": {"value": {"type": "integer"}}}


def asked_schema(service: Loopback) -> Any:
    """The properties of the JSON schema that the provider got."""
    return service.upstream.asked[-1]["response_format"]["json_schema"]["schema"]["properties"]


@pytest.fixture
def client(service: Loopback) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_openai_parses_and_helps_with_tools(service: Loopback, client: OpenAI) -> None:
    class f(BaseModel):
        a: int

    plays(service, FOUR)
    parsed = client.chat.completions.parse(model="openai", messages=ASKED, response_format=Number)
    assert parsed.choices[0].message.parsed == Number(value=4)
    assert "value" in asked_schema(service)
    with client.chat.completions.stream(model="openai", messages=ASKED, response_format=Number) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Number(value=4)
    plays(service, CALL["openai"])
    called = client.chat.completions.parse(model="openai", messages=ASKED, tools=[pydantic_function_tool(f)])
    assert called.choices[0].message.tool_calls
    (call,) = called.choices[0].message.tool_calls
    assert call.function.parsed_arguments == f(a=1)


def test_openai_s_errors_and_cancel(service: Loopback, client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody", messages=ASKED)
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(model="openai", messages=ASKED, temperature=9)
    plays(service, ENDLESS)
    stream = client.chat.completions.create(model="openai", messages=ASKED, stream=True)
    assert next(c for c in stream if c.choices[0].delta.content).choices[0].delta.content == "Fo"
    stream.close()
    until_idle(service)


def test_langchain(service: Loopback) -> None:
    from langchain_openai import ChatOpenAI

    plays(service, FOUR)
    model = ChatOpenAI(model="openai", base_url=f"{service.url}/v1", api_key="none", max_retries=0)
    assert model.with_structured_output(Number, method="json_schema").invoke("Who?") == Number(value=4)
    assert "value" in asked_schema(service)
    with pytest.raises(openai.NotFoundError):
        ChatOpenAI(model="nobody", base_url=f"{service.url}/v1", api_key="none", max_retries=0).invoke("Who?")
    plays(service, ENDLESS)
    stream = model.stream("Who?")
    assert next(c for c in stream if c.content).content == "Fo"
    stream.close()  # type: ignore[attr-defined] # it is a generator
    until_idle(service)


def test_litellm(service: Loopback) -> None:
    import litellm

    where: Any = {"model": "openai/openai", "api_base": plays(service, FOUR), "api_key": "none", "messages": ASKED}
    told: Any = litellm.completion(**where, response_format=Number)
    assert json.loads(told.choices[0].message.content) == {"value": 4}
    assert "value" in asked_schema(service)
    with pytest.raises(litellm.exceptions.NotFoundError):
        litellm.completion(**{**where, "model": "openai/nobody"})
    plays(service, CALL["openai"])
    pieces: Any = list(litellm.completion(**where, tools=[TOOL], stream=True))
    called: Any = litellm.stream_chunk_builder(pieces)
    assert called.choices[0].message.tool_calls[0].function.arguments == '{"a": 1}'
    plays(service, ENDLESS)
    stream: Any = litellm.completion(**where, stream=True)
    assert next(c for c in stream if c.choices[0].delta.content).choices[0].delta.content == "Fo"
    stream.completion_stream.close()
    until_idle(service)


def test_litellm_in_anthropic_s_words(service: Loopback) -> None:
    import litellm

    plays(service, TEXT["openai"], CALL["openai"])
    where: Any = {
        "model": "anthropic/openai", "api_base": service.url, "api_key": "none", "messages": ASKED, "max_tokens": 50,
    }  # fmt: skip
    told: Any = litellm.completion(**where)
    assert told.choices[0].message.content == SAID
    called: Any = litellm.completion(**where, tools=[TOOL])
    assert json.loads(called.choices[0].message.tool_calls[0].function.arguments) == {"a": 1}


def test_llm(service: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    from llm.default_plugins.openai_models import Chat

    make: Any = Chat
    abilities = {"supports_schema": True, "supports_tools": True}
    model = make("openai", model_name="openai", api_base=plays(service, FOUR), **abilities)
    model.key = "none"
    assert json.loads(model.prompt("Who?", schema=Number).text()) == {"value": 4}
    asked: list[int] = []

    def f(a: int) -> str:
        """Does it."""
        asked.append(a)
        return "done"

    plays(service, CALL["openai"], TEXT["openai"])
    assert model.chain("Who?", tools=[f]).text() == SAID
    assert asked == [1]
    nobody = make("nobody", model_name="nobody", api_base=f"{service.url}/v1")
    nobody.key = "none"
    with pytest.raises(openai.NotFoundError):
        nobody.prompt("Who?").text()
    plays(service, ENDLESS)
    stream = iter(model.prompt("Who?"))
    assert next(stream) == "Fo"
    del stream  # it has no way to leave but to be forgotten
    gc.collect()
    until_idle(service)


async def test_pydantic_ai(service: Loopback) -> None:
    from pydantic_ai import Agent, NativeOutput
    from pydantic_ai.exceptions import ModelHTTPError
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    plays(service, FOUR)
    provider = OpenAIProvider(base_url=f"{service.url}/v1", api_key="none")
    agent = Agent(OpenAIChatModel("openai", provider=provider), output_type=NativeOutput(Number))
    assert (await agent.run("Who?")).output == Number(value=4)
    assert "value" in asked_schema(service)
    with pytest.raises(ModelHTTPError) as unknown:
        await Agent(OpenAIChatModel("nobody", provider=provider)).run("Who?")
    assert unknown.value.status_code == 404
    plays(service, ENDLESS)
    async with Agent(OpenAIChatModel("openai", provider=provider)).run_stream("Who?") as stream:
        async for text in stream.stream_text(debounce_by=None):
            assert text == "Fo"
            break
        await stream.cancel()
    until_idle(service)


def test_pydantic_ai_in_anthropic_s_words(service: Loopback) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    plays(service, CALL["openai"], TEXT["openai"])
    provider = AnthropicProvider(api_key="none", base_url=service.url)
    agent = Agent(AnthropicModel("openai", provider=provider))
    asked: list[int] = []

    @agent.tool_plain
    def f(a: int) -> str:
        asked.append(a)
        return "done"

    loop = asyncio.new_event_loop()  # pydantic-ai makes one where there is none, and never closes it
    asyncio.set_event_loop(loop)
    try:
        assert agent.run_sync("Who?").output == SAID
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert asked == [1]


def test_parameters_of_a_tool_arrive(service: Loopback, client: OpenAI) -> None:
    plays(service, TEXT["openai"])
    client.chat.completions.create(model="openai", messages=ASKED, tools=[TOOL])
    assert service.upstream.asked[-1]["tools"][0]["function"]["parameters"] == PARAMETERS
