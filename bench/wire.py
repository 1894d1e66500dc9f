"""Do the adapters speak the protocols correctly? They are tested against servers of other projects.

    make bench NAME=wire [N=10]

`vllm serve` with ghost-cloud is an OpenAI-compatible cloud; LiteLLM's proxy in front of it speaks Anthropic's and
Gemini's protocols. Every adapter asks the same questions, greedily; what it reads has to be what a plain HTTP call
without streaming gets from vLLM. Adapters always stream; `whole` is our own API asked without streaming, with each
protocol behind it. ghost-cloud has never seen a tool: that its calls fit the schema is vLLM's guided decoding, that
they come through in one piece is what is measured.

Behind Gemini's protocol other arguments come back than vLLM gives where a function is named (`tools_same`). Our adapter
names it (`functionCallingConfig: {mode: ANY, allowedFunctionNames: [look_up]}`); LiteLLM reads the mode alone and asks
vLLM with `tool_choice: required`, all else the same. vLLM then guides a list of calls, `[{"name": "look_up",
"parameters": {...`, instead of the bare arguments, and behind other text a greedy model writes other values; this one
never ends the list, so that the limit cuts it off. `tools_same_required` compares with what vLLM gives when it is asked
in that way itself, as far as the calls are whole. LiteLLM does not pass on a seed either; its Gemini streams end with a
usage of zero tokens (it asks its upstream for none): not believed, but counted, marked estimated.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import yaml

from bench.cloud import cloud
from bench.peer_environments import LITELLM, python_of
from bench.service import ROOT, running, server, write
from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from ghostrouter.config import CloudModel, Sessions
from ghostrouter.conversation import Message
from ghostrouter.errors import GhostRouterError
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Sampling, SegmentEnd, SegmentKey, SegmentRequest
from models import questions

N = int(os.environ.get("N", "10"))
UPSTREAM = "http://127.0.0.1:8111"
PORT = 8112
KEY = "sk-bench-only"
MODELS = {
    "openai": {"provider": "vllm", "base_url": f"{UPSTREAM}/v1"},
    "anthropic": {"provider": "anthropic", "base_url": f"http://127.0.0.1:{PORT}"},
    "gemini": {"provider": "gemini", "base_url": f"http://127.0.0.1:{PORT}/v1beta"},
}
# Nothing in it that a model which knows no JSON could go on with for ever.
TOOL: dict[str, Any] = {
    "name": "look_up",
    "description": "Looks up a person.",
    "parameters": {
        "type": "object",
        "properties": {
            "town": {"type": "string", "enum": ["Udine", "Elvas", "Pellow"]},
            "year": {"type": "integer", "enum": [1813, 1826, 1880]},
        },
        "required": ["town", "year"],
        "additionalProperties": False,
    },
}
GUIDED = (
    *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
)


@contextmanager
def proxy(upstream: str) -> Iterator[None]:
    """LiteLLM's proxy before an upstream."""
    python = python_of("litellm", LITELLM)
    config = ROOT / "logs" / "bench-wire.yaml"
    config.parent.mkdir(exist_ok=True)
    params = {"model": "hosted_vllm/ghost-cloud", "api_base": upstream, "api_key": "none"}
    config.write_text(yaml.safe_dump({"model_list": [{"model_name": "ghost-cloud", "litellm_params": params}]}))
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1", "--port", str(PORT)]
    environment = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
    with server(command, f"http://127.0.0.1:{PORT}/health/liveliness", "bench-wire", environment):
        yield


async def _ask(
    pool: CloudPool, model: CloudModel, prompt: str, written: str = ""
) -> tuple[str, SegmentEnd | None, int]:
    """Text, end and number of frames of an answer."""
    asked = cloud_prompt(model, (Message("user", prompt),), False, written)
    request = SegmentRequest(SegmentKey("s", 0), model.name, (), 0, Sampling(max_tokens=300), cloud=asked)
    text, frames, end = "", 0, None
    async for frame in pool.write(request):
        text += "".join(t.text for t in frame.tokens)
        frames += bool(frame.tokens)
        end = frame.end or end
    return text, end, frames


async def _plain(**body: Any) -> dict[str, Any]:
    """vLLM's own message without streaming, from a plain HTTP call."""
    async with httpx.AsyncClient(timeout=120) as client:
        asked = {"model": "ghost-cloud", "temperature": 0, **body}
        answer = await client.post(f"{UPSTREAM}/v1/chat/completions", json=asked)
    message: dict[str, Any] = answer.raise_for_status().json()["choices"][0]["message"]
    return message


async def _lane(name: str, asked: list[str], wanted: list[str]) -> dict[str, Any]:
    model = CloudModel.model_validate({"name": name, "model": "ghost-cloud", "context_tokens": 8192} | MODELS[name])
    pool = CloudPool(
        CloudSettings([model], Sessions(first_token_s=300)), runtime=CloudRuntime(lambda *metric, **labels: None)
    )
    same = ended = told = streamed = 0
    error = ""
    for prompt, text in zip(asked, wanted, strict=True):
        try:
            got, end, frames = await _ask(pool, model, prompt)
        except GhostRouterError as failure:
            error = str(failure)
            continue
        same += got == text
        ended += end is not None and end.reason == "stop"
        told += end is not None and end.usage is not None and not end.usage.estimated
        streamed += frames > 1
    await pool.close()
    print(f"  {name:<10} {same} of {len(asked)} the same {error}", flush=True)
    counts = {"same": same, "ended": ended, "usage_told": told, "streamed": streamed}
    return {f"{name}_{k}": v for k, v in counts.items()} | ({f"{name}_error": error} if error else {})


async def _ours(url: str, name: str, prompt: str, stream: bool, **body: Any) -> dict[str, Any]:
    """The message of our own API, joined if it was streamed: the text and the parts of one tool call."""
    asked = {"model": name, "messages": _user(prompt), "temperature": 0, "stream": stream, **body}
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        answer = (await client.post("/v1/chat/completions", json=asked)).raise_for_status()
    if not stream:
        told: dict[str, Any] = answer.json()["choices"][0]["message"]
        return told
    message: dict[str, Any] = {"content": "", "tool_calls": []}
    for line in answer.text.splitlines():
        event = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {}
        if "error" in event:
            raise httpx.HTTPError(event["error"]["message"])
        for choice in event.get("choices", ()):
            message["content"] += choice["delta"].get("content") or ""
            for part in choice["delta"].get("tool_calls") or ():
                if part["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append({"function": {"name": "", "arguments": ""}})
                function = message["tool_calls"][part["index"]]["function"]
                function["name"] += part["function"].get("name") or ""
                function["arguments"] += part["function"].get("arguments") or ""
    return message


async def _whole(url: str, asked: list[str], wanted: list[str]) -> dict[str, Any]:
    """Our own API without streaming, with a model behind each protocol."""
    found = {}
    for name in MODELS:
        got = [await _ours(url, name, prompt, False, max_tokens=300) for prompt in asked]
        found[f"{name}_whole_same"] = sum(g["content"] == text for g, text in zip(got, wanted, strict=True))
    return found


async def _tools(url: str, asked: list[str]) -> dict[str, Any]:
    """A function that the model must call, with arguments guided by the schema: each protocol, streaming and not."""
    found: dict[str, Any] = {}
    body = {"tools": [{"type": "function", "function": TOOL}], "max_tokens": 120}
    named = {"type": "function", "function": {"name": TOOL["name"]}}
    told = [await _plain(messages=_user(prompt), tool_choice=named, **body) for prompt in asked]
    wanted = [_called(t) for t in told]
    found["tools_fit_upstream"] = sum(map(bool, wanted))
    asked_for = {"tool_choice": "required", **body}
    listed = [_called(_whole_calls(await _ours(UPSTREAM, "ghost-cloud", p, True, **asked_for))) for p in asked]
    for name in MODELS:
        for stream, how in ((True, "streamed"), (False, "whole")):
            calls, error = [], ""
            for prompt in asked:
                try:
                    calls.append(_called(await _ours(url, name, prompt, stream, tool_choice=named, **body)))
                except httpx.HTTPError as failure:
                    error = str(failure)
                    calls.append([])
            found[f"{name}_tools_{how}_fit"] = sum(map(bool, calls))
            found[f"{name}_tools_{how}_same"] = sum(c == w for c, w in zip(calls, wanted, strict=True))
            if name == "gemini":
                same = sum(c == w for c, w in zip(calls, listed, strict=True))
                found[f"{name}_tools_{how}_same_required"] = same
            if error:
                found[f"{name}_tools_{how}_error"] = error
    return found


def _whole_calls(message: dict[str, Any]) -> dict[str, Any]:
    """The message without a tool call that the token limit cut off."""
    return message | {"tool_calls": [c for c in message["tool_calls"] if c["function"]["arguments"].endswith("}")]}


def _called(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The arguments of the calls in a message. None if it has other calls, or if some do not fit the schema."""
    properties = TOOL["parameters"]["properties"]
    called = []
    for call in message.get("tool_calls") or ():
        try:
            arguments: dict[str, Any] = json.loads(call["function"]["arguments"])
        except ValueError:
            return []
        fits = arguments.keys() == properties.keys() and all(v in properties[k]["enum"] for k, v in arguments.items())
        if call["function"]["name"] != TOOL["name"] or not fits:
            return []
        called.append(arguments)
    return called


def _user(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


async def measure(url: str) -> dict[str, Any]:
    asked = [q.prompt for q in questions.sample("test", 5, N)]
    wanted = [(await _plain(messages=_user(p), max_tokens=300))["content"] for p in asked]
    found: dict[str, Any] = {}
    for name in MODELS:
        found |= await _lane(name, asked, wanted)
    return {**found, **await _whole(url, asked, wanted), **await _tools(url, asked), "n": N}


def main() -> None:
    os.environ |= {"ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}
    # Calls guided by their schema alone: around a tag, white space would be free, and this model writes it for ever.
    os.environ["VLLM_ENFORCE_STRICT_TOOL_CALLING"] = "0"
    with cloud(*GUIDED) as upstream, proxy(upstream), running("bench/wire.yaml", "http://127.0.0.1:8113") as url:
        write("wire", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
