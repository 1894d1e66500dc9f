"""Nothing of the size of a prompt is done on the event loop."""

import asyncio
import threading
from typing import Any

import pytest

from deployments.session.seam_planner import SeamPlanner
from ghostrouter.conversation import Message
from ghostrouter.replay.seam import Piece, SeamRequest
from ghostrouter.replay.tokenizers import ChatTokenizer
from tests.deployments.in_process import ANSWER, Service
from tests.shipped import MODELS

CHAT = "/v1/chat/completions"


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads in which prompts are encoded."""
    found: list[threading.Thread] = []
    encode = ChatTokenizer.encode_chat

    def noted(*args: Any, **kwargs: Any) -> Any:
        found.append(threading.current_thread())
        return encode(*args, **kwargs)

    monkeypatch.setattr(ChatTokenizer, "encode_chat", noted)
    return found


async def test_a_seam_is_planned_once_and_in_a_thread(encoders: list[threading.Thread]) -> None:
    """It used to freeze the journal for a quarter of a second, and then to be planned again by the ingress."""
    planner = SeamPlanner({"small": ChatTokenizer(str(MODELS / "ghost-small"))}, {})
    messages = (Message("user", "Who was Xenia Farrow? " * 200),)
    piece = Piece("other", (1, 2), ("She ", "was "))
    seam = await planner.plan(SeamRequest("s", messages, False, (piece,), 2, None, "small"))
    assert seam.continuation == "prefix"
    assert len(encoders) == 1 and encoders[0] is not threading.main_thread()


async def test_a_long_prompt_is_encoded_in_a_thread(encoders: list[threading.Thread]) -> None:
    service = Service()
    body = {"model": "small", "messages": [{"role": "user", "content": "Who? " * 1_000}]}
    answer = await service.post(CHAT, body)
    assert answer.json["choices"][0]["message"]["content"] == ANSWER
    assert len(encoders) == 1 and encoders[0] is not threading.main_thread()


async def test_so_it_is_when_an_answer_without_a_token_is_gone_on_with(encoders: list[threading.Thread]) -> None:
    service = Service()
    service.writer.pause_at = 0
    body = {"model": "small", "messages": [{"role": "user", "content": "?"}], "stream": True}
    streaming = asyncio.create_task(service.post(CHAT, body))
    session = await service.writer.paused.get()
    streaming.cancel()
    await asyncio.wait([streaming])
    service.writer.go.set()
    encoders.clear()
    again = await service.post(CHAT, last_event_id=f"{session}:0")
    assert again.status == 200
    assert len(encoders) == 1 and encoders[0] is not threading.main_thread()
