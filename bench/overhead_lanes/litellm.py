"""LiteLLM's SDK: acompletion(stream=True). Runs in its own environment, and imports nothing of GhostRouter."""

import asyncio
import importlib.metadata
import json
import sys
import time

if sys.path[0].endswith("overhead_lanes"):
    sys.path.pop(0)  # this file's name is the package's

import litellm  # type: ignore[import-not-found,unused-ignore]


async def call(url: str) -> str:
    stream = await litellm.acompletion(
        model="openai/short",
        api_base=url,
        api_key="none",
        messages=[{"role": "user", "content": "Who was Mira?"}],
        max_tokens=50,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    text = ""
    async for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    return text


async def main(url: str, calls: int, connections: int) -> None:
    async def worker(count: int) -> None:
        for _ in range(count):
            assert (await call(url)).endswith("She")

    await asyncio.gather(*(worker(3) for _ in range(connections)))
    began_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(calls // connections) for _ in range(connections)))
    done = calls // connections * connections
    print(
        json.dumps(
            {
                "cpu_ms_per_call": (time.process_time() - cpu_s) * 1000 / done,
                "calls_per_s": done / (time.perf_counter() - began_s),
                "version": importlib.metadata.version("litellm"),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
