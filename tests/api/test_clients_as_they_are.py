"""Requests as clients write them: in the words of another API, or with what an earlier answer had."""

from typing import Any

import pytest

from ghostrouter.api import chat_request, messages_request, responses_request
from ghostrouter.conversation import Image, Message, ToolCall
from ghostrouter.errors import InvalidRequest

PNG = "data:image/png;base64,iVBORw0KGgo="
USER = {"role": "user", "content": "Who?"}
WHO = Message("user", "Who?")
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = Message("assistant", "", tool_calls=(ToolCall("c1", "f", "{}"),))
DONE = Message("tool", "done", tool_call_id="c1")


def chat(*turns: Any, **fields: Any) -> Any:
    return chat_request.from_wire({"model": "m", "messages": list(turns), **fields})


def messages(*turns: Any, **fields: Any) -> Any:
    return messages_request.from_wire({"model": "m", "max_tokens": 9, "messages": list(turns), **fields})


def responses(*items: Any, **fields: Any) -> Any:
    return responses_request.from_wire({"model": "m", "input": list(items), **fields}).call


@pytest.mark.parametrize(
    "part",
    ["Who?", {"type": "input_text", "text": "Who?"}, {"type": "output_text", "text": "Who?", "annotations": []}],
)
def test_a_part_may_be_a_text_or_one_of_the_responses_api(part: Any) -> None:
    assert chat({"role": "user", "content": [part, {"type": "text", "text": None}]}).messages == (WHO,)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": PNG, "detail": "original", "format": "image/png"}},
        {"type": "input_image", "image_url": PNG, "detail": "original"},
    ],
)
def test_a_picture_may_be_written_in_other_ways(part: Any) -> None:
    assert chat({"role": "user", "content": [part]}).messages[0].parts == (Image(PNG, "original"),)


LEFTOVERS = {
    "id": "msg_1", "created_at": 1, "finish_reason": "stop", "usage": {}, "extra_content": {"google": {}},
    "reasoning_text": "Hm.", "response_metadata": {}, "additional_kwargs": {}, "status": "success", "artifact": None,
}  # fmt: skip


def test_what_others_have_added_to_a_conversation_changes_nothing() -> None:
    call = {**CALL, "extra_content": {"google": {"thought_signature": "x"}}, "thought_signature": "x"}
    call["function"] = {"name": "f", "arguments": {}, "strict": True, "description": "", "output": None}
    answer = {"role": "assistant", "content": None, "tool_calls": [call], **LEFTOVERS}
    result = {"role": "tool", "tool_call_id": "c1", "content": ["done"], **LEFTOVERS}
    assert chat(USER, answer, result).messages == (WHO, CALLED, DONE)
    failed = chat(USER, answer, {**result, "is_error": True}).messages[-1]
    assert failed.is_error and failed.content == "done"


def test_arguments_may_be_an_object() -> None:
    told = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": "é"}}}
    (call,) = chat(USER, {"role": "assistant", "tool_calls": [told]}, {**USER}).messages[1].tool_calls
    assert call.arguments == '{"a": "é"}'


def test_function_calls_are_calls_of_tools() -> None:
    asked = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}}
    _, call, result = chat(USER, asked, {"role": "function", "name": "f", "content": "done"}).messages
    assert call.tool_calls == (ToolCall("function_f", "f", '{"a": 1}'),)
    assert (result.role, result.tool_call_id, result.content) == ("tool", "function_f", "done")
    with pytest.raises(InvalidRequest, match="names it in `name`"):
        chat(USER, {"role": "function", "content": "done"})


def test_a_prefix_is_the_beginning_of_the_answer() -> None:
    begun = {"role": "assistant", "content": "It was", "prefix": True}
    assert chat(USER, begun).continue_final
    assert not chat(USER, begun, USER).continue_final and not chat(USER, {**begun, "prefix": False}).continue_final
    with pytest.raises(InvalidRequest, match="begins an answer"):
        chat({**USER, "prefix": True})


@pytest.mark.parametrize(
    "field", [{"prediction": {"type": "content"}}, {"prompt_cache_options": {}}, {"function_call": "auto"}]
)
def test_hints_are_accepted(field: dict[str, Any]) -> None:
    assert chat(USER, **field) == chat(USER)


TOOL = {"name": "f", "parameters": {"type": "object"}}


def test_a_choice_names_a_tool_that_is_offered() -> None:
    named = {"type": "function", "function": {"name": "g"}}
    with pytest.raises(InvalidRequest, match="not in `tools`"):
        chat(USER, tools=[{"type": "function", "function": TOOL}], tool_choice=named)
    with pytest.raises(InvalidRequest, match="not in `tools`"):
        responses(USER, tools=[{"type": "function", **TOOL}], tool_choice={"type": "function", "name": "g"})
    with pytest.raises(InvalidRequest, match="not in `tools`"):
        messages(USER, tools=[{"name": "f", "input_schema": {}}], tool_choice={"type": "tool", "name": "g"})


def test_messages_may_have_texts_where_blocks_should_be() -> None:
    assert messages({"role": "user", "content": ["Who", {"type": "text", "text": None}, "?"]}).messages == (WHO,)
    assert messages(USER, system=["a", {"type": "text", "text": "b"}]).messages == (Message("system", "a\n\nb"), WHO)


def test_a_message_may_come_back_as_it_was() -> None:
    use = {"type": "tool_use", "id": "c1", "name": "f", "input": "{}", "signature": "x", "index": 0}
    answer: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [use],
        "stop_reason": "tool_use", "stop_sequence": None, "stop_details": None, "usage": {},
    }  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": "c1", "content": ["done"]}
    told = messages(USER, answer, {"role": "user", "content": [result], "cache_control": {"type": "ephemeral"}})
    assert told.messages == (WHO, CALLED, DONE)


def test_results_of_tools_are_read_as_text() -> None:
    found = {"type": "search_result", "source": "https://x", "title": "X", "content": [{"type": "text", "text": "x"}]}
    passages = {"type": "document", "source": {"type": "content", "content": ["a", {"type": "text", "text": "b"}]}}
    shown = [found, {"type": "tool_reference", "tool_name": "g"}, passages]
    use = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": shown}
    told = messages(USER, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}).messages[-1]
    assert told.content == "X\n\nhttps://x\n\nxga\n\nb"


def test_a_turn_may_wish_for_another_effort() -> None:
    wish = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    told = messages(USER, wish, USER, output_config={"effort": "high"})
    assert (told.features.wished_effort, told.messages) == ("low", (WHO, WHO))


@pytest.mark.parametrize("system", [None, "Be short."])
def test_a_conversation_in_which_nobody_says_anything_is_refused(system: str | None) -> None:
    with pytest.raises(InvalidRequest, match="says anything"):
        messages({"role": "user", "content": []}, system=system)


def test_names_of_tools_may_be_as_long_as_at_anthropic() -> None:
    (tool,) = messages(USER, tools=[{"name": "f" * 128, "input_schema": {}}]).features.tools
    assert tool.name == "f" * 128


def test_items_of_responses_may_lack_what_is_empty() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "created_by": "x", "caller": None}
    result = {"type": "function_call_output", "call_id": "c1", "name": "f"}
    empty: tuple[list[Any], list[Any]] = ([None, "", {}], [None, "", []])
    for arguments in empty[0]:
        for output in empty[1]:
            items = {"type": None, **USER}, call | {"arguments": arguments}, result | {"output": output}
            told = responses(*items)
            assert told.messages == (WHO, CALLED, Message("tool", "", tool_call_id="c1"))
    assert responses(USER, call, result).messages == told.messages
    said = {"role": "user", "content": ["Who", {"type": "text", "text": "?"}]}
    assert responses({"role": "assistant", "content": []}, said).messages == (Message("assistant", ""), WHO)


@pytest.mark.parametrize(
    "field",
    [
        {"include": ["reasoning.encrypted_content", "web_search_call.action.sources"]},
        {"reasoning": {"summary": "auto", "generate_summary": None}},
        {"client_metadata": {"a": "b"}},
        {"stream_options": {"include_usage": True}},
    ],
)
def test_wishes_for_what_no_answer_has_are_accepted(field: dict[str, Any]) -> None:
    assert responses(USER, **field) == responses(USER)


def test_fields_of_tools_that_are_about_other_tools_are_accepted() -> None:
    tool = {"type": "function", **TOOL, "defer_loading": True, "output_schema": {}, "allowed_callers": ["direct"]}
    assert responses(USER, tools=[tool]) == responses(USER, tools=[{"type": "function", **TOOL}])
