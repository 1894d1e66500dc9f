"""An OpenAI-compatible provider on this machine. It writes one known answer, and can break as providers do.

The name of the model says how. Only an answer from its start breaks. An answer that is continued, from its last
assistant message or by an instruction, is written to its end. The model `short` answers at once, in one piece, with a
few words; `slow` takes its time for each token, also of what is continued.

    python -m bench.upstream PORT
"""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

# Every token is another one, so that a lost or doubled one can be told; some are more than one code point.
TOKENS = tuple(f" {word}{i}" for i, word in enumerate(("clock", "naïve", "日本", "שלום", "👩‍👩‍👧", "e\u0301") * 10))
ANSWER = "".join(TOKENS)
CUT_AFTER, STALL_AFTER, MALFORMED_AFTER = 40, 20, 30
STALL_S = 30.0
SLOW_S = 0.25
# The last so many tokens are repeated before an answer is continued on instruction.
ECHO_TOKENS = 6
SHORT = ("Mira", " was", " a", " baker", " in", " Tarvik", ".", " She")


class Provider:
    """A provider. `asked` holds the requests it got; `idle` says that no answer is being written."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.connections: set[Any] = set()
        self.idle = threading.Event()
        self._writing = 0
        self.app = Starlette(routes=[Route("/v1/chat/completions", self.complete, methods=["POST"])])

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.connections.add(request.client)
        if body["model"] == "short":
            return Response(_SHORT_STREAM, media_type="text/event-stream")
        tokens = _rest(body["messages"])
        fault = body["model"] if len(tokens) == len(TOKENS) else "sound"
        if fault.startswith("status_"):
            error = {"message": f"not now: {body['messages']}", "code": "overloaded"}
            return JSONResponse({"error": error}, status_code=int(fault.removeprefix("status_")))
        pause_s = SLOW_S if body["model"] == "slow" else 0.0
        events = _events(tokens, fault, bool(body.get("logprobs")), pause_s)
        return StreamingResponse(self._counted(events), media_type="text/event-stream")

    async def _counted(self, events: AsyncIterator[str]) -> AsyncIterator[str]:
        self._writing += 1
        self.idle.clear()
        try:
            async for event in events:
                yield event
        finally:
            self._writing -= 1
            if not self._writing:
                self.idle.set()


def _rest(messages: list[dict[str, str]]) -> Sequence[str]:
    """The rest of the answer, token by token."""
    told = len(messages) > 1 and messages[-1]["role"] == "user" and messages[-2]["role"] == "assistant"
    last = messages[-2] if told else messages[-1]
    if last["role"] != "assistant":
        return TOKENS
    written = last["content"]
    if not ANSWER.startswith(written):
        raise ValueError("this is not how the answer begins")
    rest, at = [], 0
    for token in TOKENS:
        rest.append(token[max(0, len(written) - at) :])
        at += len(token)
    return [*([_end(written)] if told else []), *filter(None, rest)]


def _end(written: str) -> str:
    return " ".join(written.split(" ")[-ECHO_TOKENS:])


async def _events(tokens: Sequence[str], fault: str, logprobs: bool, pause_s: float) -> AsyncIterator[str]:
    yield _event({"role": "assistant", "content": ""})
    for i, token in enumerate(tokens):
        if fault == "cut" and i == CUT_AFTER:
            raise ConnectionAbortedError
        if fault == "stall" and i == STALL_AFTER:
            await asyncio.sleep(STALL_S)
        if fault == "malformed" and i == MALFORMED_AFTER:
            yield 'data: {"choices": [{"index": 0, "delta": {"conte\n\n'
            continue  # its token is in no other event
        if fault == "error_event" and i == MALFORMED_AFTER:
            yield f"data: {json.dumps({'error': {'message': ANSWER, 'code': 'server_overloaded'}})}\n\n"
            return
        if fault in ("no_finish", "early_done") and i == CUT_AFTER:
            yield "data: [DONE]\n\n" if fault == "early_done" else ": bye\n\n"
            return
        yield _event({"content": token}, logprobs=_logprobs(token) if logprobs else None)
        await asyncio.sleep(pause_s)
    yield _event({}, "stop")
    yield "data: [DONE]\n\n"


def _event(delta: dict[str, str], finish: str | None = None, logprobs: dict[str, Any] | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice]}, ensure_ascii=False)}\n\n"


def _short() -> bytes:
    """The whole stream of the model `short`."""
    usage = {"prompt_tokens": 9, "completion_tokens": len(SHORT), "total_tokens": 9 + len(SHORT)}
    last = f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [], 'usage': usage})}\n\n"
    events = [_event({"role": "assistant", "content": ""}), *(_event({"content": word}) for word in SHORT)]
    return "".join([*events, _event({}, "stop"), last, "data: [DONE]\n\n"]).encode()


def _logprobs(token: str) -> dict[str, Any]:
    likeliest = {"token": token, "logprob": -0.1, "bytes": list(token.encode())}
    runner_up = {"token": " other", "logprob": -3.0, "bytes": list(b" other")}
    return {"content": [{**likeliest, "top_logprobs": [likeliest, runner_up]}]}


_SHORT_STREAM = _short()


@contextmanager
def serving(provider: Provider, host: str = "127.0.0.1") -> Iterator[str]:
    """The provider on a free port, in a thread; its base URL."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        listener.listen(256)  # who comes before the server has begun waits
        server = uvicorn.Server(
            uvicorn.Config(
                provider.app, log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://{host}:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    uvicorn.run(Provider().app, port=int(sys.argv[1]), log_level="critical", lifespan="off", backlog=256)
