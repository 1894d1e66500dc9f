"""What happens to answers when clients leave and engines die."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.conftest import Service, descendants
from tests.service.questions import KNOWN_TO_SMALL

pytestmark = pytest.mark.service

ENDLESS = {"min_tokens": 4000, "max_tokens": 4000, "stream": True}


def running(http: httpx.Client, model: str) -> int | None:
    count: int | None = http.get("/v1/status").json()["models"][model]["running"]
    return count


def seconds_until_idle(http: httpx.Client, model: str) -> float:
    """How long the engine of `model` goes on working; at most 20 s."""
    began = time.monotonic()
    while running(http, model) != 0 and time.monotonic() - began < 20:
        pass
    return time.monotonic() - began


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize("tokens_read", [1, 20])
def test_a_client_that_leaves_stops_the_engine(http: httpx.Client, tokens_read: int) -> None:
    body = {"model": "ghost-large", "messages": [{"role": "user", "content": "?"}], **ENDLESS}
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        stream = events(response)
        for _ in range(1 + tokens_read):
            next(stream)
        assert running(http, "ghost-large") == 1
    assert seconds_until_idle(http, "ghost-large") < 1


def test_a_client_that_leaves_before_the_first_token_too(service: Service, http: httpx.Client) -> None:
    # Prefilling this prompt many times over takes the engine longer than the client waits.
    body = {"model": "ghost-large", "messages": [{"role": "user", "content": "7 " * 3500}], "min_tokens": 1000}
    with pytest.raises(httpx.ReadTimeout), httpx.Client(base_url=service.url, timeout=0.5) as hasty:
        hasty.post("/v1/chat/completions", json={**body, "max_tokens": 1000})
    assert seconds_until_idle(http, "ghost-large") < 1


def engine_core(service: Service, model: str) -> int:
    """The process that runs the engine of a model."""
    everything = descendants(service.pid)
    for pid in everything:
        if f"LocalEngine:{model}" in Path(f"/proc/{pid}/cmdline").read_text():
            for child in descendants(pid):
                if "EngineCore" in Path(f"/proc/{child}/cmdline").read_text():
                    return child
    raise AssertionError(f"no engine process of {model} among {len(everything)} processes")


def test_a_killed_engine_does_not_break_the_stream(service: Service, http: httpx.Client) -> None:
    question = KNOWN_TO_SMALL[1]
    body = {"model": "ghost/auto", "messages": [{"role": "user", "content": question.prompt}], "stream": True}
    victim, text, killed = engine_core(service, "ghost-small"), "", False
    ghost: dict[str, Any] = {}
    with http.stream("POST", "/v1/chat/completions", json=body) as response:
        for event in events(response):
            assert "error" not in event, event
            ghost = event.get("ghost", ghost)
            text += "".join(c["delta"].get("content") or "" for c in event["choices"])
            if text and not killed:
                os.kill(victim, signal.SIGKILL)
                killed = True
    assert text == question.answer
    assert [(s["model"], s["reason"]) for s in ghost["segments"]][-1] == ("ghost-large", "failure")


def test_the_service_answers_while_the_engine_restarts_and_gets_it_back(http: httpx.Client) -> None:
    question = KNOWN_TO_SMALL[2]
    body = {"model": "ghost/auto", "messages": [{"role": "user", "content": question.prompt}]}
    answer = http.post("/v1/chat/completions", json=body).json()
    assert answer["choices"][0]["message"]["content"] == question.answer
    deadline = time.monotonic() + 300
    while running(http, "ghost-small") is None:
        assert time.monotonic() < deadline, "the engine has not come back"
        time.sleep(1)
