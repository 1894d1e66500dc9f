"""Steps of an engine to tokens."""

from collections.abc import AsyncGenerator, Sequence
from itertools import count

from deployments.engine.token_source import EngineStep, Sampled, TokenSource
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest, Token
from tests.shipped import MODELS

TOKENIZER = ChatTokenizer(str(MODELS / "ghost-small"))
REQUEST = SegmentRequest(SegmentKey("s", 0), "m", (), 0, Sampling(max_tokens=9))


class Recorded:
    """An engine that has written already."""

    def __init__(self, *steps: Sequence[Sampled]) -> None:
        self._steps = steps

    async def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]:
        for step in self._steps:
            yield EngineStep(step, None, 0)


def made(index: int, proposed: int, entropy_nats: float) -> Sampled:
    (a,) = TOKENIZER.encode("1")
    return Sampled(a, -0.5, 1, (a, 9), [-0.5, -2.0], entropy_nats, index, proposed)


async def read(*steps: Sequence[Sampled]) -> list[Token]:
    ticks = count()
    source = TokenSource(Recorded(*steps), TOKENIZER.backend, 768, lambda: float(next(ticks)))
    return [t async for arrival in source.arrivals(REQUEST) for t in arrival.tokens]


async def test_steps_that_came_together_are_told_apart() -> None:
    apart = [made(0, 3, 0.1), made(1, 3, 0.2)], [made(0, 0, 0.3)], [made(0, 2, 0.4), made(1, 2, 0.5), made(2, 2, 0.6)]
    tokens = await read(*apart)
    together = await read([t for step in apart for t in step])
    assert [t.accepted_drafts for t in tokens] == [1, 1, 0, 2, 2, 2]
    assert [t.accepted_drafts for t in together] == [1, 1, 0, 2, 2, 2]
    assert [t.draft_acceptance for t in tokens] == [t.draft_acceptance for t in together]
    assert [t.entropy_nats for t in together] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert [t.inter_token_s for t in tokens] == [1, 0, 1, 1, 0, 0]
    assert [t.inter_token_s for t in together] == [1, 0, 0, 0, 0, 0]
