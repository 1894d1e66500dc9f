"""Do the adapters speak the protocols as others do? Against servers that none of us wrote.

    make bench NAME=wire [N=10]

`vllm serve` with ghost-cloud is an OpenAI-compatible cloud; LiteLLM's proxy in front of it speaks Anthropic's and
Gemini's protocols. Every adapter asks the same questions, greedily; what it reads has to be what a plain HTTP call
without streaming gets from vLLM. ghost-cloud knows no tools: those are left to the contract suite. LiteLLM's Gemini
streams end with a usage of zero tokens (it asks its upstream for none): not believed, but counted, marked estimated.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import yaml

from bench.cloud import cloud
from bench.peers import LITELLM, python_of
from bench.service import ROOT, server, write
from deployments.cloud_pool import CloudPool
from ghostrouter.config import CloudModel, Sessions
from ghostrouter.errors import GhostRouterError
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Message, Sampling, SegmentEnd, SegmentKey, SegmentRequest
from models import questions

N = int(os.environ.get("N", "10"))
PORT = 8112
KEY = "sk-bench-only"
MODELS = {
    "openai": {"provider": "vllm", "base_url": "http://127.0.0.1:8111/v1"},
    "anthropic": {"provider": "anthropic", "base_url": f"http://127.0.0.1:{PORT}"},
    "gemini": {"provider": "gemini", "base_url": f"http://127.0.0.1:{PORT}/v1beta"},
}


@contextmanager
def proxy(upstream: str) -> Iterator[None]:
    """LiteLLM's proxy before an upstream."""
    python = python_of("litellm", LITELLM)
    config = ROOT / "logs" / "bench-wire.yaml"
    config.parent.mkdir(exist_ok=True)
    params = {"model": "openai/ghost-cloud", "api_base": upstream, "api_key": "none"}
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
    async for frame in pool.generate(request):
        text += "".join(t.text for t in frame.tokens)
        frames += bool(frame.tokens)
        end = frame.end or end
    return text, end, frames


async def _plain(prompt: str) -> str:
    """What vLLM says without streaming, asked by nothing of ours."""
    body = {
        "model": "ghost-cloud",
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 300,
        "temperature": 0,
    }
    async with httpx.AsyncClient(timeout=120) as client:
        answer = await client.post("http://127.0.0.1:8111/v1/chat/completions", json=body)
    told: str = answer.raise_for_status().json()["choices"][0]["message"]["content"]
    return told


async def _lane(name: str, asked: list[str], wanted: list[str]) -> dict[str, Any]:
    model = CloudModel.model_validate({"name": name, "model": "ghost-cloud", "context_tokens": 8192} | MODELS[name])
    pool = CloudPool([model], Sessions(first_token_s=300), emit=lambda *metric, **labels: None)
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


async def measure() -> dict[str, Any]:
    asked = [q.prompt for q in questions.sample("test", 5, N)]
    wanted = [await _plain(p) for p in asked]
    found: dict[str, Any] = {}
    for name in MODELS:
        found |= await _lane(name, asked, wanted)
    return {**found, "n": N}


def main() -> None:
    os.environ |= {"ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}
    with cloud() as upstream, proxy(upstream):
        write("wire", asyncio.run(measure()))


if __name__ == "__main__":
    main()
