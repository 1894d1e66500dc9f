"""A feed of many sessions and a fast answer, made up, with the live page in front of them."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bench.servers import free_port
from deployments.http.dashboard import Dashboard
from ghostrouter.api import sse

SESSIONS, TOKENS, TOKENS_PER_S = 500, 2_000, 200
MODELS = ("small", "large")


def _row(number: int, tokens: int, rng: Random) -> dict[str, Any]:
    split = tokens // 2
    return {
        "id": f"chatcmpl-{number:08d}",
        "outcome": "running",
        "opened_at": "2026-11-30T12:00:00.000Z",
        "task": "biography",
        "plan": MODELS,
        "model": MODELS[(number + tokens // 40) % 2],
        "segments": [
            {"model": "small", "reason": "plan", "tokens": split},
            {"model": "large", "reason": "handoff", "tokens": tokens - split},
        ],
        "tokens": tokens,
        "entropy_nats": rng.random(),
        "risk": rng.random(),
        "branch_of": None,
    }


async def _feed() -> AsyncGenerator[str, None]:
    """All sessions change four times per second."""
    rng, tokens = Random(1), 0
    yield sse.event({"key": None, "admin": True}, name="caller")
    while True:
        rows = [_row(n, tokens + n % 7, rng) for n in range(SESSIONS)]
        yield sse.event({"reset": tokens == 0, "sessions": rows}, name="sessions")
        tokens += 10
        await asyncio.sleep(0.25)


async def _answer() -> AsyncGenerator[str, None]:
    rng = Random(2)
    for n in range(TOKENS):
        token = {
            "text": rng.choice((" one", " two", ",", " three", " 4")),
            "model": MODELS[n // 300 % 2],
            "segment": n // 300,
            "position": n,
            "entropy_nats": rng.random(),
            "slope": rng.random() - 0.5,
            "margin": 1.0,
            "logprob": -0.1,
            "draft_acceptance": None,
            "risk": rng.random() ** 4,
            "alternatives": [{"text": " x", "logprob": -1.0}] * 5,
        }
        choice = {"index": 0, "delta": {"content": token["text"]}, "finish_reason": None}
        yield sse.event({"id": "chatcmpl-1", "choices": [choice], "ghost": {"signals": [token]}}, id=f"chatcmpl-1:{n}")
        await asyncio.sleep(1 / TOKENS_PER_S)
    ghost = {"handoffs": 0, "segments": [], "cost_usd": 0, "router_ms": 1, "inference_ms": 1}
    yield sse.event({"id": "chatcmpl-1", "choices": [{"delta": {}, "finish_reason": "stop"}], "ghost": ghost})
    yield sse.DONE


async def _live(request: Request) -> Response:
    return StreamingResponse(_feed(), media_type="text/event-stream")


async def _chat(request: Request) -> Response:
    return StreamingResponse(_answer(), media_type="text/event-stream")


async def _routing(request: Request) -> Response:
    return JSONResponse({"routes": [], "names": ["ghost/auto"], "models": []})


@contextmanager
def synthetic_page() -> Iterator[str]:
    """The URL of the page in front of a feed and an answer that are made up."""
    port = free_port()
    routes = [
        Route("/v1/live", _live),
        Route("/v1/chat/completions", _chat, methods=["POST"]),
        Route("/v1/routing", _routing),
        *Dashboard().routes(),
    ]
    app = Starlette(routes=[*routes, Route("/dashboard/", Dashboard().page)])
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = server.force_exit = True
    thread.join(10)
