"""Answers of a provider that breaks in mid-stream: the real conductor, pool and HTTP, in this process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from bench.faults import ATTEMPTS, Damage, Lane, damage, row
from bench.upstream import ANSWER, TOKENS, Provider, serving
from ghostrouter.config import CloudModel
from ghostrouter.conversation import Message
from ghostrouter.errors import ConfigError, SegmentFailed
from ghostrouter.types import CloudPrompt, Sampling, SegmentKey, SegmentRequest

SOUND = Damage(completed=True, lost_tokens=0, duplicated_tokens=0)
# How long a stream may be silent where it is to fall silent, and where only a slow machine could make it so.
STALL_S, PATIENCE_S = 2.0, 60.0


@pytest.fixture(scope="module")
def provider() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def url(provider: Provider) -> Iterator[str]:
    with serving(provider) as address:
        yield address


@pytest.fixture(autouse=True)
def fresh(provider: Provider) -> None:
    provider.asked.clear()
    provider.connections.clear()


@pytest.fixture
async def lanes() -> AsyncIterator[list[Lane]]:
    made: list[Lane] = []
    yield made
    for lane in made:
        await lane.pool.close()


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("logprobs", [True, False])
@pytest.mark.parametrize("continues", ["prefix", "assistant", "instruct"])
@pytest.mark.parametrize("fault", ["cut", "stall", "malformed", "error_event", "no_finish", "early_done"])
async def test_no_token_is_lost_or_doubled(
    url: str, lanes: list[Lane], fault: str, continues: str, logprobs: bool, streaming: bool
) -> None:
    patience_s = STALL_S if fault == "stall" else PATIENCE_S
    lane = Lane([row(url, fault, continues=continues, logprobs=logprobs)], patience_s)
    lanes.append(lane)
    session, sent = await lane.ask(streaming)
    assert damage(session, session.text) == SOUND
    if streaming:
        assert sent == session.text
    assert [(s.model, s.reason) for s in session.segments] == [(fault, "plan"), (fault, "failure")]
    assert session.segments[1].continuation == ("instruct" if continues == "instruct" else "prefix")
    assert (session.segments[1].instruction_tokens > 0) is (continues == "instruct")
    assert "clock" not in session.segments[1].detail  # no word of the answer, of the prompt or of an error's message


async def test_an_undisturbed_answer_and_what_was_asked(url: str, lanes: list[Lane], provider: Provider) -> None:
    lane = Lane([row(url, "sound", logprobs=True)], PATIENCE_S)
    lanes.append(lane)
    session, sent = await lane.ask(top_logprobs=2, seed=7)
    assert sent == ANSWER
    tokens = session.current.tokens
    assert [t.text for t in tokens] == list(TOKENS)
    assert {t.id for t in tokens} == {-1}
    assert tokens[3].alternatives == ((TOKENS[3], -0.1), (" other", -3.0))
    assert (provider.asked[0]["max_tokens"], provider.asked[0]["seed"]) == (100, 7)


async def test_a_provider_is_spoken_to_over_one_connection(url: str, lanes: list[Lane], provider: Provider) -> None:
    lane = Lane([row(url, "one"), row(url, "two")], PATIENCE_S)
    lanes.append(lane)
    for _ in range(3):
        assert (await lane.ask())[1] == ANSWER
    assert len(provider.connections) == 1


async def test_the_next_of_the_plan_goes_on_when_all_attempts_have_failed(url: str, lanes: list[Lane]) -> None:
    lane = Lane([row(url, "status_503"), row(url, "sound")], PATIENCE_S)
    lanes.append(lane)
    session, sent = await lane.ask()
    assert sent == ANSWER
    assert [s.model for s in session.segments] == ["status_503"] * ATTEMPTS + ["sound"]
    assert session.current.detail == "status_503: HTTP 503 (overloaded)"


async def test_a_provider_that_is_not_there(url: str, lanes: list[Lane]) -> None:
    lane = Lane([row("http://127.0.0.1:1/v1", "gone"), row(url, "sound")], PATIENCE_S)
    lanes.append(lane)
    session, sent = await lane.ask()
    assert sent == ANSWER
    assert session.current.detail == "gone: ConnectError"


async def test_what_cannot_go_on_leaves_it_to_the_next_of_the_plan(url: str, lanes: list[Lane]) -> None:
    lane = Lane([row(url, "cut", continues="none"), row(url, "sound")], PATIENCE_S)
    lanes.append(lane)
    session, sent = await lane.ask()
    assert damage(session, sent) == SOUND
    assert [s.model for s in session.segments] == ["cut", "sound"]
    assert "cut cannot go on" in session.current.detail


async def test_what_cannot_go_on_starts_over_while_nobody_reads_along(
    url: str, lanes: list[Lane], provider: Provider
) -> None:
    lane = Lane([row(url, "cut", continues="none"), row(url, "sound", continues="none")], PATIENCE_S)
    lanes.append(lane)
    session, _ = await lane.ask(streaming=False)
    assert session.text == ANSWER
    assert [s.continuation for s in session.segments] == [None, "restart", "restart"]
    assert all(len(asked["messages"]) == 1 for asked in provider.asked)


async def test_nothing_is_called_an_answer_that_is_none(url: str, lanes: list[Lane]) -> None:
    lane = Lane([row(url, "cut", continues="none")], PATIENCE_S)
    lanes.append(lane)
    session, sent = await lane.ask()
    assert session.finish is None
    assert sent == "".join(TOKENS[:40])


async def test_max_tokens_count_over_the_seam(url: str, lanes: list[Lane], provider: Provider) -> None:
    lane = Lane([row(url, "cut", continues="instruct", logprobs=True)], PATIENCE_S)
    lanes.append(lane)
    session, sent = await lane.ask(max_tokens=45)
    assert (sent, session.finish) == ("".join(TOKENS[:45]), "length")
    assert provider.asked[1]["max_tokens"] == 5 + 64  # and room for an echo


async def test_stop_strings_are_found_here(url: str, lanes: list[Lane], provider: Provider) -> None:
    lane = Lane([row(url, "cut")], PATIENCE_S)
    lanes.append(lane)
    straddling = "".join(TOKENS[39:42])[2:-2]
    session, sent = await lane.ask(stop=(straddling,))
    assert session.finish == "stop"
    assert sent == ANSWER[: ANSWER.index(straddling)]
    assert "stop" not in provider.asked[0]


def request(model: str, cloud: CloudPrompt | None) -> SegmentRequest:
    return SegmentRequest(SegmentKey("s", 0), model, (), 0, Sampling(max_tokens=100), cloud=cloud)


PROMPT = CloudPrompt((Message("user", "Tell me about clocks."),), "restart", "", 10)


async def test_leaving_closes_the_connection(url: str, lanes: list[Lane], provider: Provider) -> None:
    lane = Lane([row(url, "stall")], PATIENCE_S)
    lanes.append(lane)
    frames = lane.pool.write(request("stall", PROMPT))
    await anext(frames)
    await frames.aclose()
    assert await asyncio.to_thread(provider.idle.wait, 60)


async def test_a_model_that_nobody_offers_is_refused(lanes: list[Lane], url: str) -> None:
    lane = Lane([row(url, "sound")], PATIENCE_S)
    lanes.append(lane)
    assert list(lane.pool._models) == ["sound"]
    for refused in (request("other", PROMPT), request("sound", None)):
        with pytest.raises(SegmentFailed, match="no cloud provider offers"):
            await anext(lane.pool.write(refused))


async def test_the_key_goes_to_the_provider_and_nowhere_else(
    url: str, lanes: list[Lane], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keyed = CloudModel.model_validate(row(url, "cut").model_dump() | {"api_key_env": "A_TEST_KEY"})
    monkeypatch.delenv("A_TEST_KEY", raising=False)
    with pytest.raises(ConfigError, match="A_TEST_KEY"):
        Lane([keyed], PATIENCE_S)
    monkeypatch.setenv("A_TEST_KEY", "very-secret")
    caplog.set_level(logging.DEBUG)
    lane = Lane([keyed], PATIENCE_S)
    lanes.append(lane)
    session, _ = await lane.ask()
    assert damage(session, session.text) == SOUND
    assert "very-secret" not in caplog.text + session.current.detail


async def test_many_at_a_time(url: str, lanes: list[Lane]) -> None:
    faults = ("cut", "malformed", "sound", "no_finish")
    made = [Lane([row(url, f)], PATIENCE_S) for f in faults]
    lanes += made
    answers = await asyncio.gather(*(lane.ask() for lane in made for _ in range(5)))
    assert [damage(*a) for a in answers] == [SOUND] * 20
