"""A provider is asked to stop after a sentence, where the answer may go back to a cheaper model."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings, Judging
from ghostrouter.config import Breakers, CloudModel, Sessions
from ghostrouter.detect.calibration import Calibration
from ghostrouter.errors import SegmentPaused
from ghostrouter.types import Frame, Limits, SegmentRequest
from tests.deployments.session.test_fault_lane import PROMPT, request
from tests.deployments.session.test_money import DONE, EVENTS
from tests.shipped import ROOT

CALIBRATION = ROOT / "models" / "ghost-large" / "calibration.json"
STOPS = {"stop": [". "], "include_stop_str_in_output": True}
FAR = CloudModel(
    name="far",
    base_url="http://far.example/v1",
    model="far",
    context_tokens=8192,
    continues="assistant",
    logprobs=True,
    stream_usage="always",
    calibration=str(CALIBRATION),
    pause_fields=STOPS,
)
SURE, UNSURE = -1e-6, -1.5


def chunk(number: int, token: str, logprob: float, content: str | None = None, by: str | None = None) -> bytes:
    entry = {"token": token, "logprob": logprob, "top_logprobs": [{"token": token, "logprob": logprob}]}
    choice = {
        "index": 0,
        "delta": {"content": token if content is None else content},
        "logprobs": {"content": [entry]},
        "finish_reason": by and "stop",
        "stop_reason": by,
    }
    usage = {"prompt_tokens": 20, "completion_tokens": number}
    return b"data: " + json.dumps({"choices": [choice], "usage": usage}).encode() + b"\n\n"


def sentence(logprob: float, last: str = " She") -> bytes:
    """What vLLM sends of a sentence. The first token of the next one is cut: only its space is in the text."""
    words = ["Mira", " lives", " in", " Elster", "."]
    told = [chunk(n, word, logprob) for n, word in enumerate(words, 1)]
    return b"".join(told) + chunk(6, last, logprob, " ", ". ") + DONE


@dataclass
class Far:
    """A pool with one model behind a provider that writes `body`."""

    body: bytes
    asked: list[dict[str, object]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        def upstream(request: httpx.Request) -> httpx.Response:
            self.asked.append(json.loads(request.content))
            return httpx.Response(200, headers=EVENTS, content=self.body)

        def emit(metric: object, value: float, **labels: str) -> None:
            self.outcomes += [labels["outcome"]] if "outcome" in labels else []

        self.pool = CloudPool(
            CloudSettings([FAR], Sessions(), Breakers(min_calls=1)),
            Judging(calibrations={"far": Calibration.load(Path(CALIBRATION))}),
            runtime=CloudRuntime(emit, transport=httpx.MockTransport(upstream)),
        )

    async def frames(self, of: SegmentRequest) -> list[Frame]:
        return [frame async for frame in self.pool.write(of)]


@pytest.fixture
async def pools() -> AsyncIterator[list[CloudPool]]:
    made: list[CloudPool] = []
    yield made
    for pool in made:
        await pool.close()


def may_go_back(pauses: bool = True) -> SegmentRequest:
    limits = Limits(may_hand_off=False, may_hand_back=True)
    return replace(request("far", replace(PROMPT, pauses=pauses)), limits=limits)


@pytest.mark.parametrize(("last", "kept"), [(" She", 5), (" ", 6)])
async def test_the_answer_goes_back_and_nothing_was_written_beyond(
    pools: list[CloudPool], last: str, kept: int
) -> None:
    far = Far(sentence(SURE, last))
    pools.append(far.pool)
    frames = await far.frames(may_go_back())
    end = frames[-1].end
    assert end and end.verdict and (end.reason, end.verdict.onset, end.dropped_tokens) == ("hand_back", kept, 0)
    text = "".join(t.text for f in frames for t in f.tokens) + "".join(t.text for t in end.held)
    assert text == f"Mira lives in Elster.{last}"
    assert end.usage and end.usage.completion_tokens == 6
    assert far.asked[0].items() >= STOPS.items()


async def test_the_answer_stays_if_the_sentence_was_not_calm(pools: list[CloudPool]) -> None:
    far = Far(sentence(UNSURE))
    pools.append(far.pool)
    with pytest.raises(SegmentPaused) as paused:
        await far.frames(may_go_back())
    assert paused.value.usage and paused.value.usage.completion_tokens == 6
    far.body = sentence(SURE)
    assert await far.frames(may_go_back())  # no breaker is open: a pause is no failure
    assert "SegmentPaused" in far.outcomes


async def test_nobody_is_asked_to_pause_for_nothing(pools: list[CloudPool]) -> None:
    far = Far(sentence(SURE))
    pools.append(far.pool)
    assert await far.frames(may_go_back(pauses=False))
    assert "stop" not in far.asked[0]
