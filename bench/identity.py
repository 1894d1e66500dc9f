"""Is an answer that moves between two replicas of one model the same as without a move? Greedy and sampled, float32.

    make bench NAME=identity [SEED=1] [N=50] [CONCURRENCY=8]

Every answer is written once without a handoff, and once per token with a forced handoff behind that token. The KV modes
take turns. Sampled answers have a seed, penalties, a stop string from their own middle, and log-probabilities. A
difference counts as a near tie only if the answer is greedy and the two likeliest tokens at the first differing
position lie within 1e-3 of each other.
"""

import asyncio
import os
from collections import Counter
from itertools import cycle
from typing import Any

from bench.service import Answer, Client, running, write
from models import questions

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "50"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "8"))
MODEL = "ghost-small"
NEAR_TIE = 1e-3
KV_MODES = ("recompute", "prefix_cache", "warm", "transfer")
ASKED: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0},
    "sampled": {
        "temperature": 0.9,
        "top_p": 0.95,
        "presence_penalty": 0.3,
        "frequency_penalty": 0.2,
        "repetition_penalty": 1.05,
    },
}


async def compare(client: Client, number: int, prompt: str, kind: str) -> list[dict[str, Any]]:
    """One record for each seam of one answer."""
    messages = [{"role": "user", "content": prompt}]
    body = {"model": MODEL, "logprobs": True, "top_logprobs": 2, "max_tokens": 150, **ASKED[kind]}
    if kind == "sampled":
        body["seed"] = SEED * 1000 + number
        free = await client.ask(messages, **body)
        middle = len(free.text) * 2 // 3
        body["stop"] = [free.text[middle : middle + 6]] if free.text[middle:] else None
    whole = await client.ask(messages, **body)
    cuts = list(zip(range(1, whole.completion_tokens), cycle(KV_MODES), strict=False))
    moved = await asyncio.gather(
        *(
            client.ask(messages, **body, ghost={"handoffs": [{"after_tokens": n, "to": MODEL, "kv": mode}]})
            for n, mode in cuts
        )
    )
    return [seam(prompt, kind, n, whole, answer) for (n, _), answer in zip(cuts, moved, strict=True)]


def seam(prompt: str, kind: str, after_tokens: int, whole: Answer, moved: Answer) -> dict[str, Any]:
    """What one forced handoff did."""
    segments = moved.ghost["segments"]
    if len({s["replica"] for s in segments}) != 2:
        raise RuntimeError(f"the answer did not move between two replicas: {segments}")
    same = moved.text == whole.text and written(moved) == written(whole)
    record = {"prompt": prompt, "kind": kind, "after_tokens": after_tokens, "kv_mode": segments[1]["kv_mode"]}
    if same:
        return {**record, "identical": True}
    pairs = zip(written(whole), written(moved), strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    margin = None if at is None or at >= len(whole.logprobs) else margin_of(whole.logprobs[at])
    near = kind == "greedy" and margin is not None and margin < NEAR_TIE
    return {**record, "identical": False, "at_token": at, "margin": margin, "near_tie": near}


def written(answer: Answer) -> list[str]:
    """The tokens of an answer, from its log-probabilities."""
    return [t["token"] for t in answer.logprobs]


def margin_of(entry: dict[str, Any]) -> float:
    """By how much the likeliest token beat the runner-up, in nats."""
    first, second = (float(t["logprob"]) for t in entry["top_logprobs"])
    return first - second


async def measure(url: str) -> dict[str, Any]:
    records = []
    async with Client(url, CONCURRENCY) as client:
        for i, q in enumerate(questions.sample("test", SEED, N), 1):
            for kind in ASKED:
                records += await compare(client, i, q.prompt, kind)
            print(f"  {i} of {N} answers, {len(records)} seams", flush=True)
    different = [r for r in records if not r["identical"]]
    return {
        **{f"{kind}_identical_share": share([r for r in records if r["kind"] == kind]) for kind in ASKED},
        "seams": len(records),
        "n_seams": len(records),
        "identical": len(records) - len(different),
        "kv_modes": dict(Counter(r["kv_mode"] for r in records)),
        "near_ties": [r for r in different if r["near_tie"]],
        "different": [r for r in different if not r["near_tie"]],
        "answers": N,
        "seed": SEED,
    }


def share(records: list[dict[str, Any]]) -> float:
    """How many of the seams changed nothing; near ties, which are listed, count as such."""
    return sum(bool(r["identical"] or r["near_tie"]) for r in records) / len(records)


def main() -> None:
    with running("bench/identity.yaml", "http://127.0.0.1:8100") as url:
        write("identity", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
