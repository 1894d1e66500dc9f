"""How many of a hundred waiting calls does a half-open breaker let through? The pool runs in one process, without
Ray.

    make bench NAME=breaker

A provider over HTTP fails until its breaker opens. When the breaker becomes half-open, a hundred callers come at the
same time. The bench counts the calls that reach the provider, and the answers to the callers.
"""

import asyncio
import time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bench.service import write
from bench.upstream import Provider, serving
from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from ghostrouter.config import Breakers, CloudModel, Sessions
from ghostrouter.conversation import Message
from ghostrouter.errors import ProviderBusy, SegmentFailed
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest

CALLERS = 100
SETTINGS = Breakers(min_calls=5, open_s=1.0)


class Moody(Provider):
    """Fails while it is `down`. Other answers start after half a second. `calls` counts the calls that arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.down = True
        self.calls = 0
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.answer, methods=["POST"])])

    async def answer(self, request: Request) -> Response:
        self.calls += 1
        if self.down:
            return Response(status_code=500)
        await asyncio.sleep(0.5)
        event = 'data: {"choices": [{"index": 0, "delta": {"content": "well"}, "finish_reason": "stop"}]}\n\n'
        return StreamingResponse(iter([event, "data: [DONE]\n\n"]), media_type="text/event-stream")


class Callers:
    """Calls one model of a pool."""

    def __init__(self, url: str) -> None:
        row = {"name": "moody", "base_url": url, "model": "m", "context_tokens": 4096}
        self.model = CloudModel.model_validate(row)
        self.pool = CloudPool(
            CloudSettings([self.model], Sessions(), SETTINGS), runtime=CloudRuntime(lambda *metric, **labels: None)
        )

    async def call(self) -> str:
        """How a call ended: answered, failed or turned away."""
        prompt = cloud_prompt(self.model, (Message("user", "How are you?"),), False, "")
        request = SegmentRequest(SegmentKey("s", 0), "moody", (), 0, Sampling(max_tokens=9), cloud=prompt)
        try:
            async for _ in self.pool.write(request):
                pass
        except ProviderBusy:
            return "turned away"
        except SegmentFailed:
            return "failed"
        return "answered"

    async def all(self) -> list[str]:
        return await asyncio.gather(*(self.call() for _ in range(CALLERS)))


async def measure(url: str, provider: Moody) -> dict[str, Any]:
    callers = Callers(url)
    until_open = [await callers.call() for _ in range(10)]
    calls_until_open, provider.calls = provider.calls, 0
    while_open = await callers.all()
    calls_while_open, provider.calls = provider.calls, 0
    await asyncio.sleep(SETTINGS.open_s)
    still_down = await callers.all()
    probes_down, provider.calls, provider.down = provider.calls, 0, False
    await asyncio.sleep(SETTINGS.open_s)
    began = time.perf_counter()
    half_open = await callers.all()
    probes, provider.calls = provider.calls, 0
    closed = await callers.all()
    await callers.pool.close()
    return {
        "half_open_probes_admitted": probes,
        "half_open_probes_admitted_while_down": probes_down,
        "callers": CALLERS,
        "calls_until_open": calls_until_open,
        "failed_until_open": until_open.count("failed"),
        "calls_while_open": calls_while_open,
        "turned_away_while_open": while_open.count("turned away"),
        "turned_away_while_half_open": half_open.count("turned away"),
        "failed_while_still_down": still_down.count("failed"),
        "answered_after_closing": closed.count("answered"),
        "half_open_s": time.perf_counter() - began,
    }


def main() -> None:
    provider = Moody()
    with serving(provider) as url:
        write("breaker", asyncio.run(measure(url, provider)))


if __name__ == "__main__":
    main()
