"""Anthropic's own client, unmodified, against /v1/messages over real HTTP, in front of every protocol."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from pydantic import BaseModel

from tests.clients.scripted import ASKED, CALL, ENDLESS, PARAMETERS, PIXEL, SAID, TEXT, plays, protocols, whole_text
from tests.deployments.fakes import wait_until
from tests.providers.quirks.loopback import Loopback
from tests.providers.quirks.table import rows
from tests.providers.quirks.upstream import Transcript

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
TOOL: Any = {"name": "f", "description": "does", "input_schema": PARAMETERS}
_THOUGHT = Transcript(
    (
        b'data: {"choices": [{"delta": {"reasoning_content": "Let me "}}]}\n\n',
        b'data: {"choices": [{"delta": {"reasoning_content": "see."}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "Four."}, "finish_reason": "stop"}]}\n\n',
        b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, '
        b'"prompt_tokens_details": {"cached_tokens": 4}}}\n\n',
        b"data: [DONE]\n\n",
    )
)


@pytest.fixture
def client(service: Loopback) -> Iterator[Anthropic]:
    with Anthropic(base_url=service.url, api_key="none", max_retries=0) as made:
        yield made


@protocols
def test_a_message(service: Loopback, client: Anthropic, protocol: str) -> None:
    plays(service, TEXT[protocol])
    message = client.messages.create(model=protocol, max_tokens=50, messages=ASKED, system="Be brief.")
    assert [(b.type, b.text) for b in message.content if b.type == "text"] == [("text", SAID)]
    assert (message.role, message.stop_reason, message.stop_sequence) == ("assistant", "end_turn", None)
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert message.id.startswith("msg_") and message._request_id == message.id
    assert message.model_extra and message.model_extra["ghost"]["segments"][0]["model"] == protocol


@protocols
def test_a_stream(service: Loopback, client: Anthropic, protocol: str) -> None:
    plays(service, TEXT[protocol])
    with client.messages.stream(model=protocol, max_tokens=50, messages=ASKED) as stream:
        assert "".join(stream.text_stream) == SAID
        message = stream.get_final_message()
    assert message.stop_reason == "end_turn"
    raw = client.messages.create(model=protocol, max_tokens=50, messages=ASKED, stream=True)
    kinds = [event.type for event in raw]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@protocols
@pytest.mark.parametrize("streamed", [True, False])
def test_tools(service: Loopback, client: Anthropic, protocol: str, streamed: bool) -> None:
    plays(service, CALL[protocol], TEXT[protocol])
    asked: dict[str, Any] = {"model": protocol, "max_tokens": 50, "tools": [TOOL], "tool_choice": {"type": "auto"}}

    def answer(messages: Any) -> Any:
        if not streamed:
            return client.messages.create(**asked, messages=messages)
        with client.messages.stream(**asked, messages=messages) as stream:
            return stream.get_final_message()

    called = answer(ASKED)
    assert called.stop_reason == "tool_use"
    (use,) = called.content
    assert (use.type, use.name, use.input) == ("tool_use", "f", {"a": 1})
    result = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "done"}]}
    turns = [*ASKED, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    assert answer(turns).content[0].text == SAID
    assert "done" in str(service.upstream.asked[-1])


def test_the_tool_runner_runs_tools(service: Loopback, client: Anthropic) -> None:
    plays(service, CALL["openai"], TEXT["openai"])
    asked: list[int] = []

    @beta_tool
    def f(a: int) -> str:
        """Does it."""
        asked.append(a)
        return "done"

    runner = client.beta.messages.tool_runner(model="openai", max_tokens=50, messages=ASKED, tools=[f])
    last = runner.until_done()
    assert asked == [1]
    assert [b.text for b in last.content if b.type == "text"] == [SAID]


def test_calls_that_are_written_in_turns_are_whole(service: Loopback, client: Anthropic) -> None:
    (row,) = [r for r in rows("tools.yaml") if r.quirk == "parallel calls that take turns" and r.protocol == "openai"]
    plays(service, *row.transcripts)
    with client.messages.stream(model="openai", max_tokens=50, messages=ASKED, tools=[TOOL]) as stream:
        content = stream.get_final_message().content
    assert [(b.name, b.input) for b in content if b.type == "tool_use"] == [("f", {"a": 1}), ("g", {"b": 2})]


def test_thinking_comes_before_the_answer(service: Loopback, client: Anthropic) -> None:
    plays(service, _THOUGHT)
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    with client.messages.stream(model="openai", max_tokens=2000, messages=ASKED, thinking=thinking) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_message()
    thought, said = message.content
    assert thought.type == "thinking" and thought.thinking == "Let me see."
    assert said.type == "text" and said.text == "Four."
    assert "thinking" in kinds and "text" in kinds
    used = message.usage
    assert (used.input_tokens, used.cache_read_input_tokens, used.output_tokens) == (5, 4, 5)
    turns: Any = [*ASKED, {"role": "assistant", "content": message.content}, *ASKED]
    again = client.messages.create(model="openai", max_tokens=50, messages=turns)
    assert [b.type for b in again.content] == ["thinking", "text"]
    assert service.upstream.asked[-1]["messages"][1] == {"role": "assistant", "content": "Four."}


def test_a_picture_a_document_and_hints_for_caches(service: Loopback, client: Anthropic) -> None:
    plays(service, TEXT["openai"])
    hint = {"cache_control": {"type": "ephemeral"}}
    content: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}, **hint},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A page."}, "title": "T"},
        {"type": "text", "text": "What is it?", **hint},
    ]
    system: Any = [{"type": "text", "text": "Be brief.", **hint}]
    client.messages.create(
        model="openai", max_tokens=50, messages=[{"role": "user", "content": content}], system=system,
        metadata={"user_id": "u"}, service_tier="auto",
    )  # fmt: skip
    told, user = service.upstream.asked[-1]["messages"]
    assert told == {"role": "system", "content": "Be brief."}
    assert user["content"][0]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    assert user["content"][1:] == [{"type": "text", "text": "T\n\nA page."}, {"type": "text", "text": "What is it?"}]


def test_an_answer_that_follows_a_schema(service: Loopback, client: Anthropic) -> None:
    class Number(BaseModel):
        value: int

    plays(service, whole_text('{"value": 4}'))
    message = client.messages.parse(model="openai", max_tokens=50, messages=ASKED, output_format=Number)
    assert message.parsed_output == Number(value=4)
    assert service.upstream.asked[-1]["response_format"]["type"] == "json_schema"


@protocols
def test_a_stop_sequence_is_named(service: Loopback, client: Anthropic, protocol: str) -> None:
    plays(service, TEXT[protocol])
    stops = [" 日本", "never"]
    message = client.messages.create(model=protocol, max_tokens=50, messages=ASKED, stop_sequences=stops)
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", " 日本")
    assert message.content[0].type == "text" and message.content[0].text == "Grüße, 👩‍👩‍👧"


def test_a_limit_is_told(service: Loopback, client: Anthropic) -> None:
    plays(service, Transcript((b'data: {"choices": [{"delta": {"content": "Fo"}, "finish_reason": "length"}]}\n\n',)))
    assert client.messages.create(model="openai", max_tokens=1, messages=ASKED).stop_reason == "max_tokens"


@protocols
def test_tokens_are_counted(service: Loopback, client: Anthropic, protocol: str) -> None:
    few = client.messages.count_tokens(model=protocol, messages=ASKED).input_tokens
    more = client.messages.count_tokens(model=protocol, messages=ASKED, tools=[TOOL], system="Be brief.").input_tokens
    assert 0 < few < more


def test_models_are_listed(service: Loopback, client: Anthropic) -> None:
    listed = list(client.models.list(limit=2))
    assert {"openai", "anthropic", "gemini"} <= {m.id for m in listed}
    assert all(m.type == "model" and m.display_name and m.created_at for m in listed)
    assert client.models.retrieve("openai").id == "openai"


@pytest.mark.parametrize("streamed", [True, False])
def test_errors_are_typed(service: Loopback, client: Anthropic, streamed: bool) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(model="nobody", max_tokens=5, messages=ASKED, stream=streamed)
    assert unknown.value.type == "not_found_error" and unknown.value.request_id
    assert "nobody" in (unknown.value.api_message or "")
    with pytest.raises(anthropic.BadRequestError) as invalid:
        client.messages.create(model="openai", max_tokens=0, messages=ASKED, stream=streamed)
    assert invalid.value.type == "invalid_request_error" and "`max_tokens`" in (invalid.value.api_message or "")
    plays(service, Transcript((b"{}",), 500, {"content-type": "application/json"}))
    with pytest.raises(anthropic.ServiceUnavailableError) as gone:
        client.messages.create(model="openai", max_tokens=5, messages=ASKED, stream=streamed)
    assert gone.value.type == "overloaded_error" and gone.value.error_code == "nothing_can_answer"


def test_an_error_in_mid_stream_is_raised(service: Loopback, client: Anthropic) -> None:
    plays(service, Transcript((b'data: {"choices": [{"delta": {"content": "Fo"}}]}\n\n',), broken=True))
    stream = client.messages.create(model="openai", max_tokens=50, messages=ASKED, stream=True)
    with pytest.raises(anthropic.APIStatusError) as broken:
        list(stream)
    assert broken.value.type == "overloaded_error"


async def test_who_leaves_ends_the_answer(service: Loopback) -> None:
    plays(service, ENDLESS)
    async with (
        AsyncAnthropic(base_url=service.url, api_key="none", max_retries=0) as client,
        client.messages.stream(model="openai", max_tokens=50, messages=ASKED) as stream,
    ):
        assert await anext(aiter(stream.text_stream)) == "Fo"
        assert service.upstream.open == 1
    await wait_until(lambda: service.upstream.open == 0)
