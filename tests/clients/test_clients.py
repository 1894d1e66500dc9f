"""Clients as they are, against the service over real HTTP with the real pool: text, streams, tools, history."""

from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from tests.clients.scripted import ASKED, CALL, SAID, TEXT, TOOL, plays, protocols, whole
from tests.providers.quirks.loopback import Loopback

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # some keep their connections open


@protocols
def test_openai_s_own_example(service: Loopback, protocol: str) -> None:
    with OpenAI(base_url=plays(service, TEXT[protocol]), api_key="none", max_retries=0) as client:
        stream = client.chat.completions.create(model=protocol, messages=ASKED, stream=True)
        said = ""
        for chunk in stream:
            if chunk.choices[0].delta.content is not None:
                said += chunk.choices[0].delta.content
    assert said == SAID


@protocols
def test_an_answer_s_dump_is_history(service: Loopback, protocol: str) -> None:
    with OpenAI(base_url=plays(service, CALL[protocol], TEXT[protocol]), api_key="none", max_retries=0) as client:
        first = client.chat.completions.create(model=protocol, messages=ASKED, tools=[TOOL]).choices[0].message
        assert first.tool_calls
        result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "done"}
        turns = [*ASKED, first.model_dump(), result]
        second = client.chat.completions.create(model=protocol, messages=turns, tools=[TOOL]).choices[0].message
        assert second.content == SAID
        turns += [second.model_dump(), *ASKED]
        assert client.chat.completions.create(model=protocol, messages=turns).choices[0].message.content == SAID


@protocols
def test_langchain(service: Loopback, protocol: str) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_openai import ChatOpenAI

    url = plays(service, CALL[protocol], TEXT[protocol])
    model = ChatOpenAI(model=protocol, base_url=url, api_key="none", max_retries=0)
    asked = HumanMessage("Who?")
    called = model.bind_tools([TOOL]).invoke([asked])
    (call,) = called.tool_calls
    assert (call["name"], call["args"]) == ("f", {"a": 1})
    done = ToolMessage("done", tool_call_id=call["id"] or "")
    assert model.bind_tools([TOOL]).invoke([asked, called, done]).content == SAID
    assert "".join(str(chunk.content) for chunk in model.stream([asked])) == SAID
    plays(service, CALL[protocol])
    whole: Any = None
    for chunk in model.bind_tools([TOOL]).stream([asked]):
        whole = chunk if whole is None else whole + chunk
    assert [(c["name"], c["args"]) for c in whole.tool_calls] == [("f", {"a": 1})]


@protocols
async def test_pydantic_ai(service: Loopback, protocol: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    url = plays(service, CALL[protocol], TEXT[protocol])
    agent = Agent(OpenAIChatModel(protocol, provider=OpenAIProvider(base_url=url, api_key="none")))
    asked: list[int] = []

    @agent.tool_plain
    def f(a: int) -> str:
        asked.append(a)
        return "done"

    assert (await agent.run("Who?")).output == SAID
    assert asked == [1]
    plays(service, CALL[protocol], TEXT[protocol])
    async with agent.run_stream("Who?") as stream:
        assert await stream.get_output() == SAID


@protocols
def test_litellm(service: Loopback, protocol: str) -> None:
    import litellm

    url = plays(service, TEXT[protocol])
    where: Any = {"model": f"openai/{protocol}", "api_base": url, "api_key": "none", "messages": ASKED}
    whole: Any = litellm.completion(**where)
    assert whole.choices[0].message.content == SAID
    assert whole.usage.total_tokens > 0
    streamed: Any = litellm.completion(**where, stream=True, stream_options={"include_usage": True})
    assert "".join(c.choices[0].delta.content or "" for c in streamed if c.choices) == SAID
    plays(service, CALL[protocol])
    called: Any = litellm.completion(**where, tools=[TOOL])
    turns = [*ASKED, called.choices[0].message.model_dump()]
    turns.append({"role": "tool", "tool_call_id": turns[1]["tool_calls"][0]["id"], "content": "done"})
    plays(service, TEXT[protocol])
    again: Any = litellm.completion(**{**where, "messages": turns}, tools=[TOOL])
    assert again.choices[0].message.content == SAID


@protocols
@pytest.mark.parametrize("stream", [True, False])
def test_llm(service: Loopback, protocol: str, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    from llm.default_plugins.openai_models import Chat

    make: Any = Chat
    model = make(protocol, model_name=protocol, api_base=plays(service, TEXT[protocol]))
    model.key = "none"
    conversation = model.conversation()
    assert conversation.prompt("Who?", stream=stream).text() == SAID
    assert conversation.prompt("And then?", stream=stream).text() == SAID


def test_openai_s_embeddings(service: Loopback) -> None:
    body = {"data": [{"index": 0, "embedding": [0.25, -1.5]}], "usage": {"prompt_tokens": 3}}
    with OpenAI(base_url=plays(service, whole(body)), api_key="none", max_retries=0) as client:
        made = client.embeddings.create(model="far", input="hello")  # asks for base64, and decodes it
        assert (made.data[0].embedding, made.usage.prompt_tokens) == ([0.25, -1.5], 3)
        assert "far" in {m.id for m in client.models.list()}
        with pytest.raises(NotFoundError):
            client.embeddings.create(model="nobody", input="hello")
