"""An answer that is whole stays one, whatever its provider sends or does behind it.

Text behind the finish reason is part of the answer: tests/providers/quirks/text.yaml.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tests.deployments.session.test_budgeted_engines import CHAT, ask
from tests.deployments.session.test_money import EVENTS, Paid, chunk, usage

END = chunk("so", "stop")


class Reset(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield END
        raise httpx.ReadError("reset")


def says(*parts: bytes) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(200, headers=EVENTS, content=b"".join(parts))


@pytest.mark.parametrize(
    "answer",
    [
        lambda: httpx.Response(200, headers=EVENTS, stream=Reset()),
        says(END),
        says(END, b"data: [DO"),
        says(END, b"data: nonsense\n\n"),
        says(END, b'data: {"error": {"code": "overloaded"}}\n\n'),
        says(END, usage(10**30, 5)),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_it_is_whole(tmp_path: Path, answer: Callable[[], httpx.Response], stream: bool) -> None:
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer()

    service = Paid(tmp_path, handle, continues="instruct")
    told = await service.post(CHAT, ask(stream=stream))
    if stream:
        choices = [c for e in told.events() for c in e.data.get("choices", ())]
        assert "".join(c["delta"].get("content", "") for c in choices) == "so"
        assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["stop"]
    else:
        assert told.json["choices"][0]["message"]["content"] == "so"
    assert len(asked) == 1
    trace = await service.told()
    assert (trace["outcome"], trace["estimated"]) == ("complete", True)
    assert await service.spent() > 0
