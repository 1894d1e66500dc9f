"""`"ghost": {"signals": true}`: what each token looked like, in streams and in whole answers, and the seams."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from deployments.engine.segment_judge import SegmentJudge
from deployments.engine.segment_writer import SegmentWriter
from deployments.engine.telemetry_client import TelemetryClient
from deployments.engine.token_source import TokenSource
from ghostrouter import config
from ghostrouter.types import Frame, SegmentRequest
from tests.deployments.engine.test_segment_writer import TOKENIZER, written
from tests.deployments.fakes import Meter, ScriptedSteps, wait_until
from tests.deployments.http.test_chat import BODY, CHAT, text
from tests.deployments.in_process import Answer, Service, Writer
from tests.deployments.session.test_budgeted_engines import BudgetedService, ask
from tests.deployments.session.test_money import DONE, Paid, says
from tests.make import calibration

SIGNALS: dict[str, Any] = {"ghost": {"signals": True}}
HANDOFF: dict[str, Any] = {"handoffs": [{"after_tokens": 4, "to": "large"}]}
SMALL, LARGE = "abcDefgh", "gfe"  # a capital is a token of high entropy


async def _some_turns() -> None:
    """Let the event loop go round until the token before is sent."""
    for _ in range(50):
        await asyncio.sleep(0)


class Replica(Writer):
    """A local model without vLLM: the steps are scripted; source, judge and writer are real.

    It writes `words` from the token `begins` of the answer on.
    """

    def __init__(self, words: str, judged: bool = True, begins: int = 0) -> None:
        super().__init__()
        self._words, self._judged, self._begins = words, judged, begins
        self.asked: list[SegmentRequest] = []

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.asked.append(request)
        told = config.Telemetry(frames=config.FrameLimits(frames_per_s=1e6))  # each token is a frame
        meter, clock = Meter(), asyncio.get_running_loop().time
        words = self._words[max(0, request.kept_tokens - self._begins) :]
        source = TokenSource(ScriptedSteps(written(words), pause=_some_turns), TOKENIZER.backend, 768, clock)
        client = TelemetryClient(request.model, [], told, meter, calibration() if self._judged else None)
        writer = SegmentWriter(source, SegmentJudge(client), told.frames, "r1", clock, meter)
        async for frame in writer.write(request):
            yield frame


def service(judged: bool = True) -> Service:
    return Service(small=Replica(SMALL, judged), large=Replica(LARGE, judged, begins=4))


def body(ghost: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**BODY, "ghost": ghost, **fields}


def signals(answer: Answer) -> list[dict[str, Any]]:
    return [t for e in answer.events() for t in e.data.get("ghost", {}).get("signals", ())]


def seams(answer: Answer) -> list[dict[str, Any]]:
    return [e.data["ghost"]["seam"] for e in answer.events() if "seam" in e.data.get("ghost", {})]


def plain(answer: Answer) -> str:
    """A stream without what differs between two answers: ids, times and the last `ghost` object."""
    told = re.sub(r"chatcmpl-\w+", "chatcmpl-1", answer.body.decode())
    told = re.sub(r'"created":\d+', '"created":1', told)
    return re.sub(r',"ghost":{"id".*', "}", told)


async def test_a_token_has_its_signals_and_a_seam_is_an_event() -> None:
    answer = await service().post(CHAT, body(SIGNALS["ghost"] | HANDOFF))
    tokens = signals(answer)
    assert "".join(t["text"] for t in tokens) == text(answer) == "abcdgfe"
    assert [(t["model"], t["segment"], t["position"]) for t in tokens] == [
        *(("small", 0, i) for i in range(4)),
        *(("large", 1, i) for i in range(4, 7)),
    ]
    calm, doubtful = tokens[0], tokens[3]
    assert calm["risk"] < 0.1 < 0.8 < doubtful["risk"]
    rise = doubtful["entropy_nats"] - calm["entropy_nats"]
    assert (calm["slope"], doubtful["slope"]) == (0.0, pytest.approx(0.3 * rise, abs=1e-5))
    assert (calm["logprob"], calm["margin"], doubtful["margin"]) == (-0.001, 7.999, 0.0)
    assert calm["alternatives"][0] == {"text": "a", "logprob": -0.001}
    assert len(calm["alternatives"]) == 4  # this engine reports no more
    (seam,) = seams(answer)
    segment = answer.events()[-1].data["ghost"]["segments"][1]
    same = ("reason", "detail", "rollback_tokens", "kv_mode", "continuation", "stall_ms")
    assert {name: seam[name] for name in same} == {name: segment[name] for name in same}
    assert (seam["from"], seam["to"], seam["position"], seam["reason"]) == ("small", "large", 4, "scripted")
    assert seam["stall_ms"] >= 0


async def test_plain_clients_see_nothing_odd() -> None:
    told = (await service().post(CHAT, body(SIGNALS["ghost"] | HANDOFF))).events()
    (seam,) = [e for e in told if "seam" in e.data.get("ghost", {})]
    assert seam.id == ""
    assert seam.data["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]
    assert told[told.index(seam) + 1].data["ghost"]["signals"][0]["segment"] == 1
    assert all(len(e.data["ghost"]["signals"]) > 0 for e in told[1:-1] if e is not seam)


async def test_without_the_field_nothing_changes() -> None:
    with_signals = await service().post(CHAT, body(SIGNALS["ghost"] | HANDOFF))
    without = await service().post(CHAT, body(HANDOFF))
    assert (signals(without), seams(without)) == ([], [])
    blocks = [b for b in plain(with_signals).split("\n\n") if '"seam":' not in b]
    assert plain(without).split("\n\n") == [re.sub(r',"ghost":{"signals":.*', "}", b) for b in blocks]
    first, second = plain(without).split("\n\n")[:2]
    assert first.startswith('id: chatcmpl-1:0\ndata: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,')
    assert second == (
        'id: chatcmpl-1:3\ndata: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"small",'
        '"choices":[{"index":0,"delta":{"content":"a"},"logprobs":null,"finish_reason":null}]}'
    )


async def test_who_does_not_ask_costs_an_engine_nothing() -> None:
    one, other = service(), service()
    await one.post(CHAT, body({}))
    await other.post(CHAT, body(SIGNALS["ghost"]))
    assert isinstance(one.writer, Replica) and isinstance(other.writer, Replica)
    (plain_request,), (asking,) = one.writer.asked, other.writer.asked
    assert (plain_request.with_risks, plain_request.sampling.top_logprobs) == (False, 0)
    assert (asking.with_risks, asking.sampling.top_logprobs) == (True, 5)


async def test_a_whole_answer_has_the_same_signals() -> None:
    streamed = signals(await service().post(CHAT, body(SIGNALS["ghost"] | HANDOFF)))
    whole = (await service().post(CHAT, body(SIGNALS["ghost"] | HANDOFF, stream=False))).json
    assert whole["choices"][0]["message"]["content"] == "abcdgfe"
    assert whole["ghost"]["signals"] == streamed
    assert [s["model"] for s in whole["ghost"]["segments"]] == ["small", "large"]
    without = (await service().post(CHAT, body(HANDOFF, stream=False))).json
    assert set(whole["ghost"]) - set(without["ghost"]) == {"signals"}


async def test_an_answer_that_is_asked_for_again_has_them_again() -> None:
    made = service()
    again: dict[str, Any] = {"idempotency_key": "k"}
    asked = body(SIGNALS["ghost"] | HANDOFF, stream=False)
    first, second = [(await made.post(CHAT, asked, **again)).json for _ in range(2)]
    assert len(first["ghost"]["signals"]) == 7
    assert second["ghost"]["signals"] == first["ghost"]["signals"]
    assert isinstance(made.writer, Replica) and len(made.writer.asked) == 1


@pytest.mark.parametrize("logprobs", [True, False])
async def test_of_a_cloud_model_what_its_provider_tells_is_known(tmp_path: Path, logprobs: bool) -> None:
    top = [{"token": "so", "logprob": -0.5}, {"token": "no", "logprob": -1.5}]
    told: dict[str, Any] = (
        {"logprobs": {"content": [{"token": "so", "logprob": -0.5, "top_logprobs": top}]}} if logprobs else {}
    )
    choice = {"delta": {"content": "so"}, "finish_reason": "stop", **told}
    event = b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
    made = Paid(tmp_path, says(event, DONE), logprobs=logprobs, vocab_tokens=1000)
    (only,) = signals(await made.post(CHAT, ask(stream=True, **SIGNALS)))
    assert (only["text"], only["model"], only["risk"], only["draft_acceptance"]) == ("so", "far", None, None)
    if logprobs:
        assert (only["logprob"], only["margin"], only["slope"]) == (-0.5, 1.0, 0.0)
        assert only["entropy_nats"] > 0
        assert only["alternatives"] == [{"text": t["token"], "logprob": t["logprob"]} for t in top]
    else:
        unknown = ("logprob", "margin", "slope", "entropy_nats", "alternatives")
        assert [only[name] for name in unknown] == [None] * 5


async def test_a_model_that_is_not_judged_has_no_risk() -> None:
    tokens = signals(await service(judged=False).post(CHAT, body(SIGNALS["ghost"])))
    assert {t["risk"] for t in tokens} == {None}
    assert all(t["entropy_nats"] is not None for t in tokens)


async def test_tokens_that_were_held_and_taken_back_have_no_signals() -> None:
    """A verdict ends the first segment; the tokens that the seam drops are not in the stream."""
    worth = {"quality_usd": 0.001}
    answer = await service().post(CHAT, {**body(SIGNALS["ghost"] | worth), "model": "ghost/auto"})
    (seam,) = seams(answer)
    assert (seam["reason"], seam["rollback_tokens"], seam["position"]) == ("handoff", 1, 3)
    assert "".join(t["text"] for t in signals(answer)) == text(answer) == "abcgfe"
    assert [t["position"] for t in signals(answer)] == list(range(6))


async def test_who_comes_back_gets_the_same_signals_again() -> None:
    made = service()
    whole = await made.post(CHAT, body(SIGNALS["ghost"] | HANDOFF))
    events = whole.events()
    for i, event in enumerate(events):
        if event.id:
            rest = await made.post(CHAT, last_event_id=event.id)
            assert rest.events() == events[i + 1 :]


@pytest.mark.parametrize("missed", [1, 3])
async def test_whoever_writes_on_counts_on(missed: int) -> None:
    """The store has missed growths that the client has, and the rest is written by another process."""
    words = 3 * SMALL
    made = Service(small=Replica(words))
    part = await made.post(CHAT, body(SIGNALS["ghost"]), leave_after=7)
    had = [e for e in part.events() if e.id]
    kept = made.replay._store._store._sessions[part.headers["x-request-id"]]
    await wait_until(lambda: kept.outcome == "disconnected")
    del kept.growths[len(had) - 1 - missed :]
    rest = await made.post(CHAT, last_event_id=had[-1].id)
    tokens = signals(part) + signals(rest)
    assert [t["position"] for t in tokens] == list(range(len(words)))
    assert "".join(t["text"] for t in tokens) == text(part) + text(rest) == words.lower()
    assert {t["segment"] for t in signals(rest)} == {1}
    assert all(t["risk"] is not None for t in tokens)


async def test_log_probabilities_are_what_the_client_asked_for() -> None:
    fields: dict[str, Any] = {"logprobs": True, "top_logprobs": 2}
    ghosts: list[dict[str, Any]] = [{}, SIGNALS["ghost"]]
    told = [(await service().post(CHAT, body(ghost, **fields))).events()[1].data for ghost in ghosts]
    assert told[0]["choices"] == told[1]["choices"]
    assert len(told[1]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 2
    assert len(told[1]["ghost"]["signals"][0]["alternatives"]) == 4


@pytest.mark.parametrize("stream", [True, False])
async def test_answers_that_are_redacted_have_none(tmp_path: Path, stream: bool) -> None:
    made = BudgetedService(tmp_path, redaction={"mode": "strict"})
    refused = await made.post(CHAT, ask(stream=stream, **SIGNALS))
    assert refused.status == 400
    assert "`ghost.signals` would reveal what is redacted" in refused.json["error"]["message"]
    assert (await made.post(CHAT, ask(stream=stream))).status == 200


async def test_openai_s_own_client_reads_the_stream() -> None:
    transport = httpx2.ASGITransport(app=service().app)
    asked: dict[str, Any] = {"model": "small", "messages": BODY["messages"]}
    async with AsyncOpenAI(
        api_key="none", base_url="http://ghost/v1", http_client=httpx2.AsyncClient(transport=transport)
    ) as client:
        stream = await client.chat.completions.create(
            **asked, stream=True, extra_body={"ghost": SIGNALS["ghost"] | HANDOFF}
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "abcdgfe"
    ghosts = [c.ghost for c in chunks if hasattr(c, "ghost")]
    assert [t["text"] for g in ghosts for t in g.get("signals", ())] == list("abcdgfe")
    assert [g["seam"]["to"] for g in ghosts if "seam" in g] == ["large"]
