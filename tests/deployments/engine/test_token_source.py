"""Steps of an engine to tokens."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from itertools import count

from deployments.engine.token_source import EngineStep, Sampled, TokenSource
from ghostrouter.conversation import Features
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


async def read(*steps: Sequence[Sampled], request: SegmentRequest = REQUEST) -> list[Token]:
    ticks = count()
    source = TokenSource(Recorded(*steps), TOKENIZER.backend, 768, lambda: float(next(ticks)))
    return [t async for arrival in source.arrivals(request) for t in arrival.tokens]


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


async def test_only_the_values_of_a_json_answer_are_content_after_a_seam_too() -> None:
    text = '{"a": "b c", "d": [12]}'
    ids = TOKENIZER.encode(text)
    pieces = [TOKENIZER.decode([i]) for i in ids]
    assert "".join(pieces) == text
    whole = [not t.is_form for t in await read(*_steps(ids), request=replace(REQUEST, features=JSON))]
    assert "".join(p for p, is_content in zip(pieces, whole, strict=True) if is_content) == "b c12"
    for cut in range(len(ids)):
        request = replace(REQUEST, prompt_ids=ids[:cut], kept_tokens=cut, features=JSON)
        assert [not t.is_form for t in await read(*_steps(ids[cut:]), request=request)] == whole[cut:]


JSON = Features(json_object=True)


def _steps(ids: Sequence[int]) -> list[list[Sampled]]:
    return [[Sampled(i, -0.5, 1, (i, 9), [-0.5, -2.0], 0.1)] for i in ids]
