"""The wire formats between OpenAI's own client and us, without a network."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from openai import OpenAI

from ghostrouter.api import sse
from ghostrouter.api.responses_events import Ending, events
from ghostrouter.api.responses_items import output
from ghostrouter.api.responses_object import Head, head, response, usage
from ghostrouter.api.responses_request import ResponsesCall, from_wire
from ghostrouter.api.written import Passage
from ghostrouter.conversation import Message
from ghostrouter.money import Usage
from tests.make import tokens

DELTAS = [Passage(text, tokens(text)) for text in ("Grüße\u2028", "", "aus\x85 ", "🙂\n\n", "data: x")]
TEXT = "".join(d.text for d in DELTAS)
ENDING = Ending("completed", usage(Usage(3, 9)), {"id": "s"})


class Server:
    """Answers as the service would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[ResponsesCall] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return self._stream(int(request.url.params["starting_after"]))
        self.asked.append(from_wire(json.loads(request.content)))
        if self.asked[-1].call.stream:
            return self._stream(None)
        whole = Passage(TEXT, tuple(t for d in DELTAS for t in d.tokens))
        items = output(self._head, "completed", whole)
        return httpx2.Response(
            200, text=sse.dumps(response(self._head, "completed", items, ENDING.usage, ENDING.ghost))
        )

    @property
    def _head(self) -> Head:
        return head(self.asked[0], "resp_0a", 7)

    def _stream(self, starting_after: int | None) -> httpx2.Response:
        told = events(self._head, DELTAS, ENDING, starting_after)
        body = "".join(sse.event(e, name=e["type"], id=sse.format_id("resp_0a", e["sequence_number"])) for e in told)
        return httpx2.Response(200, text=body, headers={"content-type": "text/event-stream"})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    transport = httpx2.Client(transport=httpx2.MockTransport(server))
    with OpenAI(api_key="none", base_url="http://ghost/v1", http_client=transport) as client:
        yield client


def test_an_answer_in_one_piece_goes_back_in_as_input(server: Server, client: OpenAI) -> None:
    first = client.responses.create(model="auto", input="hi", include=["message.output_text.logprobs"])
    assert first.output_text == TEXT
    assert first.model_dump()["ghost"] == {"id": "s"}
    sent_back = [{"role": "user", "content": "hi"}, *(o.model_dump() for o in first.output)]
    client.responses.create(model="auto", input=[*sent_back, {"role": "user", "content": "more"}])  # type: ignore[list-item]
    said = (Message("user", "hi"), Message("assistant", TEXT), Message("user", "more"))
    assert server.asked[1].call.messages == said


def test_a_stream(client: OpenAI) -> None:
    with client.responses.stream(model="auto", input="hi", include=["message.output_text.logprobs"]) as stream:
        snapshots = [e.snapshot for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots[-1] == final.output_text == TEXT
    assert final.usage is not None and final.usage.total_tokens == 12


@pytest.mark.parametrize("cut", [0, 3, 5, 9])
def test_a_stream_that_broke_goes_on(client: OpenAI, cut: int) -> None:
    whole = list(client.responses.create(model="auto", input="hi", stream=True))
    rest = list(client.responses.retrieve("resp_0a", stream=True, starting_after=whole[cut].sequence_number))
    assert whole[: cut + 1] + rest == whole
    assert len(rest) == len(whole) - cut - 1 > 0
