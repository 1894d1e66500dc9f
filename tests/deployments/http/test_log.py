"""No prompt reaches the log, not even by an error that nobody foresaw and whose message quotes it."""

import logging
from pathlib import Path
from typing import Any

import pytest

from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Frame
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
