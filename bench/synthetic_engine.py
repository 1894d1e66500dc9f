"""An engine that is made up: all its streams get their next token at the same moments, as from a real engine's steps.

What it writes are right answers of the shipped questions, in ghost-small's tokens, one after the other. Its
log-probabilities are those of a model that is sure, drawn by a seed.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from random import Random

from deployments.engine.token_source import EngineStep, Sampled
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import SegmentRequest
from models import questions

TOP = 20
_SHAPES = 64


def answers(tokenizer: ChatTokenizer, count: int = 32) -> list[list[Sampled]]:
    """Answers as an engine reports them, token by token."""
    rng = Random("synthetic")
    shapes = [_shape(rng) for _ in range(_SHAPES)]
    found = []
    for question in questions.sample("test", 1, count):
        ids = tokenizer.encode(question.answer + "\n")
        found.append([_sampled(token_id, rng.choice(shapes)) for token_id in ids])
    return found


def _shape(rng: Random) -> tuple[list[float], float]:
    """Log-probabilities in descending order, and the entropy that goes with them."""
    first = -rng.uniform(0.0005, 0.02)
    rest = sorted((-rng.uniform(5.0, 14.0) for _ in range(TOP - 1)), reverse=True)
    return [first, *rest], -first * rng.uniform(2.0, 6.0)


def _sampled(token_id: int, shape: tuple[list[float], float]) -> Sampled:
    logprobs, entropy_nats = shape
    others = [i for i in range(2, TOP + 2) if i != token_id][: TOP - 1]
    return Sampled(token_id, logprobs[0], 1, (token_id, *others), logprobs, entropy_nats)


class SyntheticEngine:
    """A `StepSource`. A step comes every `period_s`, at fixed times: who is late for one is on time for the next."""

    def __init__(self, written: Sequence[Sequence[Sampled]], period_s: float) -> None:
        self._written = written
        self._period_s = period_s
        self._step = asyncio.Event()
        self._streams = itertools.count()
        self._running = asyncio.create_task(self._run())
        self.tokens = 0

    def stop(self) -> None:
        """No further step comes."""
        self._running.cancel()

    async def steps(self, request: SegmentRequest) -> AsyncGenerator[EngineStep, None]:
        """As many tokens as are asked for."""
        answer = itertools.cycle(self._written[next(self._streams) % len(self._written)])
        left = request.sampling.max_tokens
        while left:
            await self._step.wait()
            left -= 1
            self.tokens += 1
            yield EngineStep([next(answer)], None if left else "length", 0)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s = max(due_s + self._period_s, loop.time())
            await asyncio.sleep(due_s - loop.time())
            self._step, over = asyncio.Event(), self._step
            over.set()
