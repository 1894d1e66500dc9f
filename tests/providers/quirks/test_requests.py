"""What providers are sent: what was asked for and no more, and conversations as each protocol takes them."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.providers.quirks.loopback import Loopback, keys
from tests.providers.quirks.table import PROTOCOLS, rows
from tests.providers.quirks.upstream import Transcript

TEXT = {row.protocol: row.transcripts for row in rows("framing.yaml") if row.quirk == "as the reference shows it"}
CALL = {
    row.protocol: row
    for row in rows("tools.yaml")
    if row.quirk in ("as the reference shows it", "a tool without arguments")
}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
PNG = "data:image/png;base64,iVBORw0KGgo="
USER = {"role": "user", "content": "Who?"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with keys(os.environ), Loopback(tmp_path_factory.mktemp("requests")) as made:
        yield made


def sent(service: Loopback, protocol: str, *turns: dict[str, Any], **fields: Any) -> dict[str, Any]:
    service.upstream.plays(*TEXT[protocol])
    asked = {"model": protocol, "messages": [*turns], **fields}
    answer = service.client.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200, answer.text
    return service.upstream.asked[0]


def called(id: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": id, "type": "function", "function": function}]}


def result(id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


UNASKED = ("seed", "random_seed", "temperature", "topP", "top_p", "maxOutputTokens", "max_completion_tokens")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_that_nobody_asked_for(service: Loopback, protocol: str) -> None:
    body = json.dumps(sent(service, protocol, USER))
    assert not [name for name in UNASKED if f'"{name}"' in body]
    assert ('"max_tokens"' in body) is (protocol == "anthropic")  # it wants one in any case


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_that_somebody_asked_for(service: Loopback, protocol: str) -> None:
    limit = {"max_tokens": 99_999, "temperature": 0.5}
    body = json.dumps(sent(service, protocol, USER, **limit))
    assert "99999" in body and "0.5" in body  # however long we guess the prompt to be


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_seed_that_was_asked_for(service: Loopback, protocol: str) -> None:
    if protocol != "anthropic":
        assert '"seed": 7' in json.dumps(sent(service, protocol, USER, seed=7)).replace("random_seed", "seed")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_turns_that_say_nothing_are_left_out(service: Loopback, protocol: str) -> None:
    empty = {"role": "assistant", "content": ""}
    body = sent(service, protocol, {"role": "system", "content": " "}, USER, empty, {"role": "user", "content": "So?"})
    turns = body.get("contents") or body["messages"]
    assert "assistant" not in json.dumps(turns) and "model" not in [t["role"] for t in turns]
    if protocol == "anthropic":
        assert all(block["text"].strip() for t in turns for block in t["content"])
        assert "system" not in body


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_beside_no_parts_of_text(service: Loopback, protocol: str) -> None:
    turns = [USER, called("call_a") | {"content": []}, result("call_a", [])]
    assert "call_a" in json.dumps(sent(service, protocol, *turns, tools=TOOLS)) or protocol in ("gemini", "mistral")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_instructions_alone(service: Loopback, protocol: str) -> None:
    body = sent(service, protocol, {"role": "system", "content": "Say hello."})
    assert "Say hello." in json.dumps(body.get("contents") or body["messages"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_picture_in_a_tool_s_answer_arrives(service: Loopback, protocol: str) -> None:
    parts = [{"type": "text", "text": "Here:"}, {"type": "image_url", "image_url": {"url": PNG}}]
    body = sent(service, protocol, USER, called("call_a"), result("call_a", parts), tools=TOOLS)
    turns = json.dumps(body.get("contents") or body["messages"])
    assert "iVBORw0KGgo=" in turns and "Here:" in turns


@pytest.mark.parametrize("protocol", ["anthropic", "gemini"])
@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("image/PNG", "image/png"),
        ("image/jpg", "image/jpeg"),
        ("image/png;charset=utf-8", "image/png"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_a_picture_s_type_may_be_written_in_other_ways(
    service: Loopback, protocol: str, written: str, kind: str
) -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:{written};base64,iVBORw0KGgo="}}
    body = json.dumps(sent(service, protocol, {"role": "user", "content": [part]}))
    assert f'"{kind}"' in body and '"iVBORw0KGgo="' in body


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ids_that_recur_name_the_right_call(service: Loopback, protocol: str) -> None:
    turns = [USER, called("call_0", "f"), result("call_0", "1"), called("call_0", "g"), result("call_0", "2")]
    body = sent(service, protocol, *turns, tools=[*TOOLS, {"type": "function", "function": {"name": "g"}}])
    if protocol == "gemini":
        answers = [p["functionResponse"] for t in body["contents"] for p in t["parts"] if "functionResponse" in p]
        assert [(a["name"], a["response"]["result"]) for a in answers] == [("f", "1"), ("g", "2")]
        return
    if protocol == "anthropic":
        blocks = [b for t in body["messages"] for b in t["content"]]
        made = [b["id"] for b in blocks if b["type"] == "tool_use"]
        answered = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
    else:
        made = [c["id"] for m in body["messages"] for c in m.get("tool_calls", ())]
        answered = [m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"]
    assert made == answered and len(set(made)) == 2
    if protocol == "mistral":
        assert all(len(id) == 9 and id.isalnum() for id in made)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer_of_ours_is_history(service: Loopback, protocol: str) -> None:
    """With nulls, reasoning and tool calls, as it came; and every call of every answer has an id of its own."""
    ids, turns = [], [USER]
    for _ in range(2):
        service.upstream.plays(*CALL[protocol].transcripts)
        answer = service.client.post(
            "/v1/chat/completions", json={"model": protocol, "messages": turns, "tools": TOOLS}
        ).json()
        message = answer["choices"][0]["message"]
        (call,) = message["tool_calls"]
        ids.append(call["id"])
        turns += [message | {"reasoning_content": "Hm.", "audio": None, "function_call": None, "annotations": []}]
        turns += [result(call["id"], "done")]
    sent(service, protocol, *turns, tools=TOOLS)
    hint = {"type": "text", "text": "Who?", "cache_control": {"type": "ephemeral"}}
    body = sent(service, protocol, {"role": "user", "content": [hint]})
    assert body.pop("cache_control", None) == ({"type": "ephemeral"} if protocol == "anthropic" else None)
    assert "cache_control" not in json.dumps(body)


ARGUMENTS = ('{"a":', "[1]", "nonsense", "[" * 5_000, '{"a": 1e999}', '{"a": NaN}', '{"a": "\\ud800"}', '"{}"', "7")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments_that_are_no_object_do_not_end_the_conversation(
    service: Loopback, protocol: str, arguments: str
) -> None:
    """A model may have broken off. OpenAI takes any text; where an object is wanted it has the text."""
    turns = [USER, called("call_a", "f", arguments), result("call_a", "That was no JSON.")]
    body = sent(service, protocol, *turns, tools=TOOLS)
    if protocol == "anthropic":
        (told,) = [b["input"] for t in body["messages"] for b in t["content"] if b["type"] == "tool_use"]
    elif protocol == "gemini":
        (told,) = [p["functionCall"]["args"] for t in body["contents"] for p in t["parts"] if "functionCall" in p]
    else:
        (told,) = [c["function"]["arguments"] for m in body["messages"] for c in m.get("tool_calls", ())]
    assert told == (arguments if protocol in ("openai", "mistral", "azure") else {"INVALID_JSON": arguments})


LONG = {"role": "user", "content": "word " * 70_000}  # about 70,000 tokens, and 116,000 by our estimate
TOO_LONG = rows("errors.yaml")[0].transcripts


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_provider_says_what_is_too_long(service: Loopback, protocol: str) -> None:
    body = sent(service, protocol, LONG)
    assert "word word" in json.dumps(body)
    assert protocol != "anthropic" or body["max_tokens"] >= 4096  # an estimate does not cut the answer to a few words


def test_an_estimate_does_not_cut_the_answer(service: Loopback) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    pieces = [f"data: {json.dumps(c)}\n\n".encode() for c in [chunk] * 400 + [end]]
    for size in (2_500, 3_500):
        service.upstream.plays(Transcript(tuple(pieces)))
        asked = {"model": "narrow", "messages": [{"role": "user", "content": "x" * size}]}
        (choice,) = service.client.post("/v1/chat/completions", json=asked).json()["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("word " * 400, "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_too_long_for_one_model_goes_to_a_wider_one(service: Loopback, stream: bool) -> None:
    service.upstream.plays(*TOO_LONG, *TEXT["openai"])
    asked = {"model": "ghost/wider", "messages": [USER], "stream": stream}
    assert service.client.post("/v1/chat/completions", json=asked).status_code == 200
    assert service.upstream.paths == ["/narrow/v1/chat/completions", "/openai/v1/chat/completions"]
    # One that our estimate finds too long goes to the wider one at once.
    service.upstream.plays(*TEXT["openai"])
    asked = {"model": "ghost/wider", "messages": [{"role": "user", "content": "x" * 3_500}], "stream": stream}
    assert service.client.post("/v1/chat/completions", json=asked).status_code == 200
    assert service.upstream.paths == ["/openai/v1/chat/completions"]


@pytest.mark.parametrize("stream", [False, True])
def test_refusals_of_responses_name_the_response(service: Loopback, stream: bool) -> None:
    service.upstream.plays(*TOO_LONG)
    answer = service.client.post("/v1/responses", json={"model": "openai", "input": "Who?", "stream": stream})
    assert answer.status_code == 400 and answer.headers["x-request-id"].startswith("resp_")


def test_calls_that_come_without_ids_get_ids_of_their_own(service: Loopback) -> None:
    (row,) = [r for r in rows("tools.yaml") if r.quirk == "whole calls without index and id" and r.protocol == "gemini"]
    ids: list[str] = []
    for _ in range(3):
        service.upstream.plays(*row.transcripts)
        asked = {"model": "gemini", "messages": [USER], "tools": TOOLS}
        answer = service.client.post("/v1/chat/completions", json=asked).json()
        ids += [c["id"] for c in answer["choices"][0]["message"]["tool_calls"]]
    assert len(set(ids)) == 6


@pytest.mark.parametrize("stream", [False, True])
def test_responses_tell_what_the_provider_has_told(service: Loopback, stream: bool) -> None:
    (row,) = [r for r in rows("usage.yaml") if r.quirk == "a chunk behind the end" and r.protocol == "openai"]
    service.upstream.plays(*row.transcripts)
    asked = {"model": "openai", "input": "Who?", "stream": stream}
    answer = service.client.post("/v1/responses", json=asked)
    if stream:
        last = [line for line in answer.text.splitlines() if line.startswith("data: ")][-1]
        response = json.loads(last.removeprefix("data: "))["response"]
    else:
        response = answer.json()
    kept = service.client.get(f"/v1/responses/{response['id']}").json()
    for told in (response["usage"], kept["usage"]):
        assert (told["input_tokens"], told["output_tokens"]) == (21, 9)
        assert told["input_tokens_details"]["cached_tokens"] == 5
        assert told["output_tokens_details"]["reasoning_tokens"] == 2
