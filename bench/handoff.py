"""Does switching in mid-answer pay? small, large and ghost answer the same held-out questions.

    make bench NAME=handoff [SEED=1] [SEEDS=1] [N=200] [CONCURRENCY=4]

The three policies take turns at every question, so that a slower machine slows all of them. After each handoff of
ghost, the target continues the same prefix once more without a switch, to measure its own time to first token.
"""

import asyncio
import os
import statistics
from typing import Any

from bench.seeds import SEEDS, summarised
from bench.service import Answer, Client, running, write
from models import questions

N = int(os.environ.get("N", "200"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "4"))
POLICIES = {"small": "ghost-small", "large": "ghost-large", "ghost": "ghost/auto"}


async def ask_all(client: Client, asked: list[questions.Question]) -> dict[str, list[Answer]]:
    """Answers by policy. A policy's questions run side by side, the policies in blocks that take turns."""
    answers: dict[str, list[Answer]] = {policy: [] for policy in POLICIES}
    for begin in range(0, len(asked), 20):
        block = [q.prompt for q in asked[begin : begin + 20]]
        for policy, model in POLICIES.items():
            answers[policy] += await client.ask_all(block, model=model, temperature=0)
        print(f"  {begin + len(block)} of {len(asked)}", flush=True)
    return answers


async def prefill_ms(client: Client, question: questions.Question, answer: Answer) -> list[float]:
    """The target's own time to first token for the prefix of each handoff of an answer, in ms."""
    times = []
    for segment in answer.ghost["segments"][1:]:
        prefix = answer.text[: segment["characters"][0]]
        messages = [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": prefix}]
        probe = await client.ask(
            messages,
            model=segment["model"],
            max_tokens=1,
            continue_final_message=True,
            add_generation_prompt=False,
        )
        times.append(probe.ghost["segments"][0]["ttft_ms"])
    return times


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie; 0 if there are no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def summarise(
    seed: int, asked: list[questions.Question], answers: dict[str, list[Answer]], prefills: list[float]
) -> dict[str, Any]:
    """The figures as one flat mapping."""
    right = {p: [questions.is_correct(q, a.text) for q, a in zip(asked, answers[p], strict=True)] for p in POLICIES}
    accuracy = {p: statistics.fmean(r) for p, r in right.items()}
    segments = [s for a in answers["ghost"] for s in a.ghost["segments"]]
    tokens = sum(s["tokens"] for s in segments)
    stalls = [s["stall_ms"] for s in segments if s["stall_ms"] is not None]
    gap = accuracy["large"] - accuracy["small"]
    families = sorted({q.family for q in asked})
    return {
        **{f"accuracy_{p}": accuracy[p] for p in POLICIES},
        "gap_recovered": (accuracy["ghost"] - accuracy["small"]) / gap if gap else 0.0,
        "large_token_share": sum(s["tokens"] for s in segments if s["model"] == "ghost-large") / tokens,
        "stall_p50_ms": percentile(stalls, 0.5),
        "stall_p99_ms": percentile(stalls, 0.99),
        "target_ttft_p50_ms": percentile(prefills, 0.5),
        "target_ttft_p99_ms": percentile(prefills, 0.99),
        "handoffs_per_answer": statistics.fmean(a.ghost["handoffs"] for a in answers["ghost"]),
        "rollback_tokens_share": sum(s["rollback_tokens"] for s in segments) / tokens,
        **{
            f"tokens_per_s_{p}": statistics.median(a.completion_tokens / a.seconds for a in answers[p])
            for p in POLICIES
        },
        **{
            f"accuracy_{p}_{f}": statistics.fmean(r for q, r in zip(asked, right[p], strict=True) if q.family == f)
            for f in families
            for p in POLICIES
        },
        "n": len(asked),
        "seed": seed,
    }


async def measure(url: str, seed: int) -> dict[str, Any]:
    """The figures for the questions of one seed."""
    asked = questions.sample("test", seed, N)
    async with Client(url, CONCURRENCY) as client:
        answers = await ask_all(client, asked)
        prefills = [ms for q, a in zip(asked, answers["ghost"], strict=True) for ms in await prefill_ms(client, q, a)]
    return summarise(seed, asked, answers, prefills)


def main() -> None:
    with running() as url:
        write("handoff", summarised([asyncio.run(measure(url, seed)) for seed in SEEDS]))


if __name__ == "__main__":
    main()
