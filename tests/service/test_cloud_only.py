"""A configuration with cloud models alone: it starts, answers, and never imports vLLM."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from openai import OpenAI

from bench.servers import free_port
from bench.upstream import ANSWER, Provider, serving

START_S = 300.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service over a provider on this machine, on a Python that has no vLLM: importing it fails."""
    folder = tmp_path_factory.mktemp("cloud_only")
    blocked = folder / "blocked" / "vllm"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('there is no vllm here')\n")
    port = free_port()
    with serving(Provider()) as upstream:
        far = {"name": "far", "base_url": upstream, "model": "sound", "context_tokens": 8192}
        args = {
            "models": [], "cloud": [far], "providers": {"discover": False}, "classify": {"encoder": None},
            "routes": {"default": {"models": ["far"]}}, "events": {"folder": str(folder / "state")},
        }  # fmt: skip
        application = {"name": "ghostrouter", "route_prefix": "/", "import_path": "graph:build", "args": args}
        path = folder / "serve.yaml"
        http = {"host": "127.0.0.1", "port": port}
        path.write_text(yaml.safe_dump({"http_options": http, "applications": [application]}))
        command = [str(Path(sys.executable).with_name("ghostrouter")), "serve", str(path)]
        search = os.pathsep.join([str(blocked.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "GHOSTROUTER_LOG_DIR": str(folder), "PYTHONPATH": search}
        screen = folder / "screen.txt"
        with screen.open("wb") as out:
            child = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            answer = _first_health(child, f"http://127.0.0.1:{port}/healthz")
            assert answer, screen.read_text() + (folder / "serve.log").read_text(errors="replace")[-5_000:]
            yield f"http://127.0.0.1:{port}"
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(120)


def _first_health(child: "subprocess.Popen[bytes]", url: str) -> bool:
    """Whether it becomes ready before it ends."""
    transport = httpx.HTTPTransport(retries=0)
    with httpx.Client(transport=transport, timeout=5) as client:
        for _ in range(int(START_S)):
            try:
                if client.get(url).status_code == httpx.codes.OK:
                    return True
            except httpx.HTTPError:
                pass
            try:
                child.wait(1)
            except subprocess.TimeoutExpired:
                continue
            return False
    return False


@pytest.mark.service
def test_it_answers(url: str) -> None:
    client = OpenAI(base_url=f"{url}/v1", api_key="none")
    asked = {"model": "ghost/auto", "messages": [{"role": "user", "content": "Tell me about clocks."}]}
    whole = client.chat.completions.create(**asked)  # type: ignore[call-overload]
    assert whole.choices[0].message.content == ANSWER
    text = ""
    for chunk in client.chat.completions.create(**asked, stream=True):  # type: ignore[call-overload]
        text += chunk.choices[0].delta.content or ""
    assert text == ANSWER
