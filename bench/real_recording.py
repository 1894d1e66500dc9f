"""What both models answer, labelled: right or wrong, and up to where the large model rescues a wrong answer."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.real_pair import CONCURRENCY, Pair
from bench.real_questions import Asked
from bench.real_recorder import Recorder
from bench.real_store import Asking, Recorded
from ghostrouter.traces.line import Line
from ghostrouter.traces.rescue import rescue_point

MAX_TOKENS = int(os.environ.get("MAX_TOKENS", "256"))
RESCUES = int(os.environ.get("RESCUES", "100"))


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with the answers of both models alone, and whether each is right."""

    asked: Asked
    small: Recorded
    large: Recorded
    small_right: bool
    large_right: bool

    def kept(self, tokens: int) -> str:
        """The text of the first tokens of the small model's answer."""
        return "".join(self.small.tokens[:tokens])

    def line(self, model: str) -> Line:
        """The small model's answer as a labelled trace."""
        small = self.small
        return Line(
            prompt=self.asked.prompt,
            model=model,
            tokens=small.tokens,
            logprobs=small.logprobs,
            top_logprobs=small.top_logprobs,
            entropies=small.entropies,
            wrong=not self.small_right,
        )


def going_on(answered: Answered, large: str, tokens: int) -> Asking:
    """The large model goes on after so many tokens of the small one; after none it answers alone."""
    return Asking(model=large, prompt=answered.asked.prompt, max_tokens=MAX_TOKENS - tokens, kept=answered.kept(tokens))


async def answers(recorder: Recorder, pair: Pair, asked: Sequence[Asked], what: str) -> list[Answered]:
    """The answers of both models alone to all questions, one model after the other: each has the machine to itself."""

    def askings(model: str) -> list[Asking]:
        signals = model == pair.small
        return [Asking(model=model, prompt=q.prompt, max_tokens=MAX_TOKENS, signals=signals) for q in asked]

    small, large = [await recorder.all(f"{what}, {model}", askings(model)) for model in (pair.small, pair.large)]
    return [
        Answered(q, a, b, q.is_right(a.text), q.is_right(b.text)) for q, a, b in zip(asked, small, large, strict=True)
    ]


async def lines(recorder: Recorder, pair: Pair, answered: Sequence[Answered]) -> list[Line]:
    """The traces of the small model's answers, with rescue labels for wrong ones that the large model gets right.

    At most RESCUES answers are bisected. What neither model gets right cannot be rescued. Wrong answers behind the last
    one that is bisected get no label, of either kind, so that the labelled ones are like all others.
    """
    found = [a.line(pair.small) for a in answered]
    loop = asyncio.get_running_loop()
    rescuable = [i for i, a in enumerate(answered) if not a.small_right and a.large_right]
    to_find = rescuable[:RESCUES]
    labelled = answered if len(rescuable) <= RESCUES else answered[: to_find[-1] + 1]
    pool = ThreadPoolExecutor(CONCURRENCY)

    def label(i: int) -> Line:
        one = answered[i]

        def is_rescued(kept: str) -> bool:
            tokens = next(n for n in range(len(one.small.tokens) + 1) if one.kept(n) == kept)
            asking = going_on(one, pair.large, tokens)
            text = asyncio.run_coroutine_threadsafe(recorder.one(asking), loop).result().text
            return one.asked.is_right(kept + text)

        point = rescue_point(one.small.tokens, is_rescued)
        return found[i].model_copy(update={"rescue": point.point, "rescue_monotonic": point.monotonic})

    points = await asyncio.gather(*(loop.run_in_executor(pool, label, i) for i in to_find))
    pool.shutdown()
    for i, line in zip(to_find, points, strict=True):
        found[i] = line
    for i, a in enumerate(labelled):
        if not a.small_right and not a.large_right:
            found[i] = found[i].model_copy(update={"rescue": None})
    return found
