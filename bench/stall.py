"""How long does a stream stall at a handoff? By KV mode and length of the prefix, one stream at a time.

    make bench NAME=stall [SEED=1] [N=15]

For each prefix length the answer moves to the other replica of the model behind 48 tokens of it; at the longest behind
256, because `warm` takes as long as its prefill. At the shortest nothing is warm: an engine caches whole blocks of 32
tokens, and what is prepared is the prompt. Those samples count as `missed`. Beside the stall, in
turns with it: (a) the time to start the answer over on the target and to have it write as far, (b) the target's bare
time to the first token for the same prefix, uncached. `stall_over_prefill_<mode>` is the median over all lengths of the
ratio of each stall to the bare prefill measured next to it; `..._<length>` the same for one length.
"""

import asyncio
import os
import statistics
from random import Random
from typing import Any

from bench.service import ROOT, Answer, Client, running, write
from ghostrouter.conversation import Message
from ghostrouter.replay.tokenizers import ChatTokenizer
from models import questions

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "15"))
MODEL = "ghost-large"
WRITTEN = {64: 48, 256: 48, 1024: 48, 4096: 256}
KV_MODES = ("recompute", "prefix_cache", "warm", "transfer")
Sample = dict[str, float]


def prompt_of(length: int, rng: Random) -> str:
    """A prompt of about `length` tokens, answer included: many questions in a row. No two prompts start alike."""
    words: list[str] = []
    for question in questions.stream("validation", rng.randrange(1 << 30)):
        words += question.prompt.split()
        if len(words) > length:
            break
    return " ".join(words)


def fit(tokenizer: ChatTokenizer, length: int, rng: Random) -> str:
    """A prompt that makes, with its template and the tokens written, a prefix of about `length` tokens."""
    words = prompt_of(length, rng).split()
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        prompt = tokenizer.encode_chat((Message("user", " ".join(words[:middle])),))
        if len(prompt) + WRITTEN[length] <= length:
            low = middle
        else:
            high = middle - 1
    return " ".join(words[:low])


async def moved(client: Client, prompt: str, kv: str, written: int) -> Answer:
    """An answer with a handoff after `written` tokens."""
    ghost = {"handoffs": [{"after_tokens": written, "to": MODEL, "kv": kv}]}
    return await client.ask(
        [{"role": "user", "content": prompt}],
        model=MODEL,
        min_tokens=written + 8,
        max_tokens=written + 8,
        logprobs=True,
        ghost=ghost,
    )


async def bare_prefill_ms(client: Client, prompt: str, answer: Answer, written: int) -> float:
    """The time to the first token of a request with the same prefix, on a replica that has none of it cached.

    It is made with a scripted handoff after the first token; its second segment is cold.
    """
    text = "".join(t["token"] for t in answer.logprobs[: written - 1])
    begun = [{"role": "user", "content": prompt}, {"role": "assistant", "content": text}]
    probe = await client.ask(
        begun,
        model=MODEL,
        min_tokens=2,
        max_tokens=2,
        continue_final_message=True,
        add_generation_prompt=False,
        ghost={"handoffs": [{"after_tokens": 1, "to": MODEL, "kv": "recompute"}]},
    )
    ttft: float = probe.ghost["segments"][1]["ttft_ms"]
    return ttft


async def restart_ms(client: Client, prompt: str, written: int) -> float:
    """Write the answer again up to the same point, without a cache."""
    ghost = {"handoffs": [{"after_tokens": 1, "to": MODEL, "kv": "recompute"}]}
    again = await client.ask(
        [{"role": "user", "content": prompt}], model=MODEL, min_tokens=written + 1, max_tokens=written + 1, ghost=ghost
    )
    opening: float = again.ghost["segments"][0]["ttft_ms"]
    return again.seconds * 1000 - opening


async def sample(client: Client, tokenizer: ChatTokenizer, length: int, kv: str, rng: Random) -> Sample | None:
    """One handoff with its comparisons; None if the engine filled its cache in another way than asked."""
    prompt, written = fit(tokenizer, length, rng), WRITTEN[length]
    if kv == "prefix_cache":  # the other replica has read the same prompt: an answer that was there and came back
        await moved(client, prompt, "prefix_cache", written)
    answer = await moved(client, prompt, kv, written)
    segment = answer.ghost["segments"][1]
    if segment["kv_mode"] != kv:
        return None
    return {
        "stall": segment["stall_ms"],
        "prefill": await bare_prefill_ms(client, prompt, answer, written),
        "restart": await restart_ms(client, prompt, written),
    }


async def measure(url: str) -> dict[str, Any]:
    rng = Random(SEED)
    samples: dict[tuple[str, int], list[Sample]] = {(kv, n): [] for kv in KV_MODES for n in WRITTEN}
    missed, tokenizer = 0, ChatTokenizer(str(ROOT / "models" / MODEL))
    async with Client(url, 1) as client:
        for turn in range(N):
            for kv, length in samples:
                taken = await sample(client, tokenizer, length, kv, rng)
                missed += taken is None
                if taken and turn:  # the first turn warms up
                    samples[kv, length].append(taken)
            print(f"  {turn + 1} of {N}", flush=True)
    return {**ratios(samples), **times(samples), "missed": missed, "written_tokens": WRITTEN, "n": N - 1, "seed": SEED}


def ratios(samples: dict[tuple[str, int], list[Sample]]) -> dict[str, float]:
    """The ratios: medians over samples, each ratio within one sample."""
    found = {}
    for kv in KV_MODES:
        of_mode = [s for (mode, _), taken in samples.items() if mode == kv for s in taken]
        found[f"stall_over_prefill_{kv}"] = statistics.median(s["stall"] / s["prefill"] for s in of_mode)
    everything = [s for taken in samples.values() for s in taken]
    found["restart_over_stall"] = statistics.median(s["restart"] / s["stall"] for s in everything)
    for (kv, length), taken in samples.items():
        if taken:
            found[f"stall_over_prefill_{kv}_{length}"] = statistics.median(s["stall"] / s["prefill"] for s in taken)
    return found


def times(samples: dict[tuple[str, int], list[Sample]]) -> dict[str, float]:
    """Milliseconds: median and interquartile range of the stall, median of the bare prefill."""
    found = {}
    for (kv, length), taken in samples.items():
        if len(taken) >= 2:
            stalls = [s["stall"] for s in taken]
            low, _, high = statistics.quantiles(stalls, n=4)
            found[f"stall_ms_{kv}_{length}"] = statistics.median(stalls)
            found[f"stall_iqr_ms_{kv}_{length}"] = high - low
            found[f"prefill_ms_{kv}_{length}"] = statistics.median(s["prefill"] for s in taken)
    return found


def main() -> None:
    with running("bench/stall.yaml", "http://127.0.0.1:8100") as url:
        write("stall", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
