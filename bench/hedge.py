"""What does hedging a late first token gain and cost? The conductor and the pool run in one process, without Ray.

    make bench NAME=hedge [N=300] [SEED=1]

A provider over HTTP (`Tardy`) starts most answers after about 0.1 s, and one in twenty after 3 s. It has a second
model, which is slower and late as often. Each question is asked with and without hedging (`AFTER_S`), in turn, with the
same delays for the same model.
"""

import asyncio
import json
import os
import random
import statistics
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bench.faults import Lane, row
from bench.service import write
from bench.upstream import ANSWER, TOKENS, Provider, serving
from ghostrouter.sessions.session import Session

N = int(os.environ.get("N", "300"))
SEED = int(os.environ.get("SEED", "1"))
AT_ONCE = 8
AFTER_S = 0.4
MEDIAN_S = {"first": 0.1, "second": 0.2}
LATE_S, LATE_SHARE = 3.0, 0.05
SPREAD = 0.4  # of the logarithm of a delay


class Tardy(Provider):
    """Starts an answer after a delay that depends on model and question. `calls` counts the calls that arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.calls += 1
        return StreamingResponse(
            self._late(body["model"], body["messages"][0]["content"]), media_type="text/event-stream"
        )

    async def _late(self, model: str, question: str) -> AsyncIterator[str]:
        rng = random.Random(f"{SEED} {model} {question}")
        late = rng.random() < LATE_SHARE
        await asyncio.sleep(LATE_S if late else MEDIAN_S[model] * rng.lognormvariate(0, SPREAD))
        for token in TOKENS:
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': token}}]})}\n\n"
        yield 'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


class Taken:
    """The times and calls of the answers with, or without, hedging."""

    def __init__(self) -> None:
        self.first_s: list[float] = []
        self.hedged = self.whole = self.calls = 0

    def add(self, session: Session, sent: str) -> None:
        began = min(s.first_token_at_s for s in session.segments if s.first_token_at_s is not None)
        self.first_s.append(began - session.opened_at_s)
        self.hedged += any(s.reason == "hedge" or s.lost for s in session.segments)
        self.calls += sum(1 + (s.lost is not None) for s in session.segments)
        self.whole += sent == ANSWER

    def figures(self) -> dict[str, Any]:
        at = statistics.quantiles(self.first_s, n=100)
        return {
            "first_token_p50_s": at[49], "first_token_p95_s": at[94], "first_token_p99_s": at[98],
            "calls_per_answer": self.calls / len(self.first_s), "hedged_share": self.hedged / len(self.first_s),
            "completed_share": self.whole / len(self.first_s),
        }  # fmt: skip


async def measure(url: str, provider: Tardy) -> dict[str, Any]:
    plan = [row(url, name) for name in MEDIAN_S]
    lanes = {"alone": Lane(plan), "hedged": Lane(plan, hedge_after_s=AFTER_S)}
    taken = {name: Taken() for name in lanes}
    for begin in range(0, N, AT_ONCE):
        for name, lane in lanes.items():
            questions: Sequence[str] = [f"Question {i}?" for i in range(begin, min(begin + AT_ONCE, N))]
            for session, sent in await asyncio.gather(*(lane.ask(said=q) for q in questions)):
                taken[name].add(session, sent)
    figures = {f"{key}_{name}": value for name, t in taken.items() for key, value in t.figures().items()}
    figures["p99_ratio"] = figures["first_token_p99_s_hedged"] / figures["first_token_p99_s_alone"]
    return figures | {"answers": N, "after_s": AFTER_S, "calls_at_provider": provider.calls}


def main() -> None:
    provider = Tardy()
    with serving(provider) as url:
        write("hedge", asyncio.run(measure(url, provider)))


if __name__ == "__main__":
    main()
