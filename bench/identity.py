"""Is an answer that moves between two replicas of one model the answer that stays? Greedy, float32.

    make bench NAME=identity [SEED=1] [N=50] [CONCURRENCY=8]

Every answer is written once without a handoff and once for each of its tokens with a forced handoff behind that
token. A difference counts as a near tie only if the two likeliest tokens at the first differing position lie
within 1e-3 of each other.
"""

import asyncio
import os
from typing import Any

from bench.service import Answer, Client, running, write
from models import questions

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "50"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "8"))
MODEL = "ghost-small"
NEAR_TIE = 1e-3


async def compare(client: Client, prompt: str) -> list[dict[str, Any]]:
    """One record for each seam of one answer."""
    messages = [{"role": "user", "content": prompt}]
    whole = await client.ask(messages, model=MODEL, temperature=0, logprobs=True, top_logprobs=2)
    cuts = range(1, whole.completion_tokens)
    moved = await asyncio.gather(
        *(
            client.ask(messages, model=MODEL, temperature=0, ghost={"handoffs": [{"after_tokens": n, "to": MODEL}]})
            for n in cuts
        )
    )
    return [seam(prompt, n, whole, answer) for n, answer in zip(cuts, moved, strict=True)]


def seam(prompt: str, after_tokens: int, whole: Answer, moved: Answer) -> dict[str, Any]:
    """What one forced handoff did."""
    replicas = [s["replica"] for s in moved.ghost["segments"]]
    if len(set(replicas)) != 2:
        raise RuntimeError(f"the answer did not move between two replicas: {replicas}")
    record: dict[str, Any] = {"prompt": prompt, "after_tokens": after_tokens, "identical": moved.text == whole.text}
    if not record["identical"]:
        pairs = zip(whole.text, moved.text, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(whole.text), len(moved.text)))
        record |= {"at_character": at, "margin": margin_at(whole, at)}
        record["near_tie"] = record["margin"] < NEAR_TIE
    return record


def margin_at(answer: Answer, character: int) -> float:
    """By how much the likeliest token at a character of an answer beat the runner-up, in nats."""
    end = 0
    for token in answer.logprobs:
        end += len(token["token"])
        if end > character:
            first, second = (t["logprob"] for t in token["top_logprobs"])
            return float(first - second)
    return float("inf")


async def measure(url: str) -> dict[str, Any]:
    records = []
    async with Client(url, CONCURRENCY) as client:
        for i, q in enumerate(questions.sample("test", SEED, N), 1):
            records += await compare(client, q.prompt)
            print(f"  {i} of {N} answers, {len(records)} seams", flush=True)
    different = [r for r in records if not r["identical"]]
    return {
        "n_seams": len(records),
        "identical": len(records) - len(different),
        "near_ties": [r for r in different if r["near_tie"]],
        "different": [r for r in different if not r["near_tie"]],
        "answers": N,
        "seed": SEED,
    }


def main() -> None:
    with running("bench/identity.yaml", "http://127.0.0.1:8100") as url:
        write("identity", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
