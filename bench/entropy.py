"""What do exact entropies cost? One engine decodes the same answers with and without them, in turn.

    make bench NAME=entropy [SEED=1] [N=200] [TOKENS=64] [STREAMS=1] [MODEL=ghost-small]

*With*: each token carries the entropy of the whole vocabulary. *Without*: it carries the bounds that the top 20 allow.
The engine runs without Ray and HTTP. Its output is read by the code of a replica, because exact entropies save that
code some work. Chance decides which of a pair comes first. `entropy_cost_share` is the median over all pairs of (time
with / time without) - 1; `_low` and `_high` are the bounds of its 95% interval. `_cpu` is the same for the processor
time
of all processes, which other programs disturb less. `worst_error_nats` is the largest difference from the entropy that
transformers' logits give.
"""

import asyncio
import os
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM

from bench.bare import Bare, started
from bench.service import write
from deployments.engine.exact_entropy import are_exact
from ghostrouter.confidence_intervals import interval
from ghostrouter.config import LocalModel
from ghostrouter.types import Token
from models import questions
from models.traces import FOLDER

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "200"))
TOKENS = int(os.environ.get("TOKENS", "64"))
STREAMS = int(os.environ.get("STREAMS", "1"))
MODEL = os.environ.get("MODEL", "ghost-small")
_RESAMPLES = 2000
# What the shipped configuration gives an engine (serve_config.yaml).
ENGINE = {"dtype": "float32", "enforce_eager": True, "max_model_len": 8192, "block_size": 32}
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("OMP_NUM_THREADS", "1")


class Run(NamedTuple):
    """The time of a round of answers in seconds, and the tokens of its first answer."""

    wall_s: float
    cpu_s: float
    tokens: list[Token]


def cpu_s(pids: Sequence[int]) -> float:
    """Processor time that processes have used so far, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family() -> list[int]:
    """This process and all its descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


async def run(bare: Bare, prompts: Sequence[tuple[int, ...]], pids: Sequence[int]) -> Run:
    """Answer the prompts at the same time."""
    began_s, began_cpu_s = time.perf_counter(), cpu_s(pids)
    answers = await asyncio.gather(*(bare.write(p, TOKENS, min_tokens=TOKENS) for p in prompts))
    return Run(time.perf_counter() - began_s, cpu_s(pids) - began_cpu_s, answers[0])


def _named(name: str, values: Sequence[float]) -> dict[str, float]:
    """The median of the values, its 95% interval over resamples, and the quartiles."""
    median, low, high = interval(
        lambda rows: statistics.median(values[i] for i in rows), range(len(values)), _RESAMPLES
    )
    first, _, third = statistics.quantiles(values, n=4)
    return {name: median, f"{name}_low": low, f"{name}_high": high, f"{name}_q1": first, f"{name}_q3": third}


@torch.inference_mode()
def errors(model: Any, prompt: tuple[int, ...], tokens: Sequence[Token]) -> list[float]:
    """The differences between the tokens' entropies and those of transformers' logits, in nats."""
    ids = [t.id for t in tokens]
    logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1].double()
    entropies = torch.special.entr(logits.softmax(-1)).sum(-1).tolist()
    return [abs(t.entropy_nats - x) for t, x in zip(tokens, entropies, strict=True)]


async def measure() -> dict[str, Any]:
    """Run all pairs, and compute the figures."""
    model = LocalModel.model_validate({"name": MODEL, "source": str(FOLDER / MODEL), "engine_kwargs": ENGINE})
    reference = AutoModelForCausalLM.from_pretrained(model.source, dtype=torch.float32)
    rng = random.Random(SEED)
    walls, cpus, rates, wrong, wide = [], [], [], [], []
    async with started(model) as client:
        if not await are_exact(client):
            raise RuntimeError("this vLLM reports no exact entropies; the log says why")
        lanes = {"with": Bare(client, exact=True), "without": Bare(client, exact=False)}
        asked = questions.sample("test", SEED, N * STREAMS)
        prompts = [lanes["with"].prompt(q.prompt) for q in asked]
        pids = family()
        for lane in lanes.values():  # the first answers pay for warming up
            await run(lane, prompts[:STREAMS], pids)
        for i in range(N):
            batch = prompts[i * STREAMS : (i + 1) * STREAMS]
            found = {name: await run(lanes[name], batch, pids) for name in rng.sample(sorted(lanes), 2)}
            walls.append(found["with"].wall_s / found["without"].wall_s - 1)
            cpus.append(found["with"].cpu_s / found["without"].cpu_s - 1)
            rates.append(STREAMS * TOKENS / found["without"].wall_s)
            wrong += errors(reference, batch[0], found["with"].tokens)
            wide += errors(reference, batch[0], found["without"].tokens)
    return {
        **_named("entropy_cost_share", walls),
        **_named("entropy_cost_share_cpu", cpus),
        "tokens_per_s_without": statistics.median(rates),
        "worst_error_nats": max(wrong),
        "worst_error_of_bounds_nats": max(wide),
        "mean_error_of_bounds_nats": statistics.fmean(wide),
        **{"vocabulary": lanes["with"].vocab_size, "pairs": N, "tokens": TOKENS, "streams": STREAMS},
        **{"model": MODEL, "seed": SEED},
    }


def main() -> None:
    write("entropy", asyncio.run(measure()))


if __name__ == "__main__":
    main()
