"""Are the recorded continuations what the service writes at a handoff? Some handoffs are forced to find out."""

import asyncio
from collections.abc import Mapping, Sequence

from bench.real_handoffs import Kept
from bench.real_pair import CONCURRENCY, Pair
from bench.real_recording import MAX_TOKENS, Answered
from bench.real_store import Recorded
from bench.service import Client

SEAMS = 10


async def same_through_service(
    urls: Mapping[str, str],
    pair: Pair,
    answered: Sequence[Answered],
    settings: Sequence[Kept],
    known: Mapping[tuple[int, int], Recorded],
) -> dict[str, int]:
    """How many of at most SEAMS forced handoffs give the recorded text, or at least the same verdict.

    Nothing is forced if the two models have no service in common. The rounding of a batch depends on what else runs, so
    that a text may differ without a fault.
    """
    if urls[pair.small] != urls[pair.large]:
        return {"seams_checked": 0}
    places = sorted({(i, at) for kept in settings for i, at in enumerate(kept) if at})[:: max(1, len(known) // SEAMS)]
    places = places[:SEAMS]
    async with Client(urls[pair.small], CONCURRENCY) as client:
        written = await asyncio.gather(
            *(
                client.ask(
                    [{"role": "user", "content": answered[i].asked.prompt}],
                    model="ghost/auto",
                    temperature=0,
                    max_tokens=MAX_TOKENS,
                    ghost={"switch": "failure_only", "handoffs": [{"after_tokens": at, "to": pair.large}]},
                )
                for i, at in places
            )
        )
    texts = [answered[i].kept(at) + known[i, at].text for i, at in places]
    right = [
        answered[i].asked.is_right(a.text) == answered[i].asked.is_right(text)
        for (i, _), a, text in zip(places, written, texts, strict=True)
    ]
    return {
        "seams_checked": len(places),
        "seams_same_text": sum(a.text == text for a, text in zip(written, texts, strict=True)),
        "seams_same_verdict": sum(right),
    }
