"""No prompt reaches the log, not even by an error that nobody foresaw and whose message quotes it."""

import logging
from pathlib import Path
from typing import Any

import pytest

from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Frame
from tests.deployments.in_process import Service
from tests.deployments.session.test_budgeted_engines import CHAT, BudgetedService, ask, call

PROMPT = "my-private-question"
RESPONSES = "/v1/responses"


def _breaks(session: Session, frame: Frame, now_s: float) -> Growth:
    raise ValueError(f"cannot handle {session.ask.messages}")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, ask(PROMPT, model="small")),
        (CHAT, ask(PROMPT, model="small", stream=True)),
        (RESPONSES, {"model": "small", "input": PROMPT}),
        (RESPONSES, {"model": "small", "input": PROMPT, "stream": True}),
        ("/call", call(PROMPT, model="small")),
    ],
)
async def test_an_unexpected_error_is_logged_without_its_message(
    path: str, body: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("ray.serve"), "propagate", True)
    monkeypatch.setattr(Session, "accept", _breaks)
    await BudgetedService(tmp_path).post(path, body)
    assert "ValueError" in caplog.text and "in _breaks" in caplog.text
    assert PROMPT not in caplog.text


async def test_who_leaves_in_the_middle_of_a_body_is_no_error_of_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(logging.getLogger("ray.serve"), "propagate", True)
    coming = [{"type": "http.request", "body": b'{"mo', "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": CHAT, "query_string": b"", "root_path": "", "headers": []}
    await Service().app(scope | {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}, receive, send)
    assert {r.levelname for r in caplog.records if CHAT in r.getMessage()} == {"INFO"}
