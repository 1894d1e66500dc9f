"""Clients in environments of their own: instructor, and Vercel's AI SDK on Node."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from tests.clients.environments import node_with, python_with
from tests.clients.scripted import CALL, ENDLESS, SAID, TEXT, plays, until_idle, whole_text
from tests.providers.quirks.loopback import Loopback
from tests.providers.quirks.upstream import Transcript

HERE = Path(__file__).parent
FOUR = whole_text('{"value": 4}')


def run(command: Sequence[str], folder: Path, **variables: str) -> Any:
    """What a program prints, as JSON."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def call_of(name: str, arguments: str) -> Transcript:
    """The provider calls a tool."""
    call = {"index": 0, "id": "call_a", "type": "function", "function": {"name": name, "arguments": arguments}}
    event = {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    return Transcript((f"data: {json.dumps(event)}\n\n".encode(), b"data: [DONE]\n\n"))


def test_instructor(service: Loopback) -> None:
    python = python_with(HERE / "instructor_env/requirements.txt")
    url = plays(service, FOUR, FOUR, FOUR, call_of("Number", '{"value": 4}'))
    told = run([str(python), str(HERE / "instructor_env/run.py")], HERE, BASE_URL=url, PYTHONPATH="")
    assert told == {"JSON": 4, "JSON_SCHEMA": 4, "partial": 4, "TOOLS": 4, "error": 404}


@contextmanager
def director(service: Loopback) -> Iterator[str]:
    """A server that lets the provider play what its path names, for a client that is another program."""
    scenes = {
        "/text": [TEXT["openai"]],
        "/tools": [CALL["openai"], TEXT["openai"]],
        "/object": [FOUR],
        "/endless": [ENDLESS],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path in scenes:
                plays(service, *scenes[self.path])
            else:
                until_idle(service)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(str(service.upstream.open).encode())

        def log_message(self, *words: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_vercel_s_ai_sdk(service: Loopback) -> None:
    node, folder = node_with(HERE / "vercel")
    with director(service) as play_url:
        told = run([str(node), "run.mjs"], folder, BASE_URL=service.url, PLAY_URL=play_url)
    for api in ("openai", "anthropic"):
        got = told[api]
        status, message = got.pop("error")
        assert status == 404 and "nobody" in message
        assert got == {
            "text": SAID, "streamed": SAID, "tools": [[1, 1], SAID], "toolsStreamed": SAID, "object": 4, "first": "Fo",
            "open": 0,
        }, api  # fmt: skip
