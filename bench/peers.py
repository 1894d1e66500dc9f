"""What does an answer cost beside the model, seen by a client? Other servers do the same work in the same run.

    make bench NAME=peers [ROUNDS=3] [SECONDS=4] [LEVELS=1,8,32,100] [SEED=1] [MODEL=folder of a real model]

Lane `local`: ghost-small, asked at bare vLLM's server, without and with 20 log-probabilities (`vllm lp20`), at
`ray.serve.llm`'s own OpenAI app, and at our service as it ships. All have the same engine arguments. Lanes `instant`
and `paced`: the same fake provider (`bench/fixed_upstream.py`), asked `direct`, through LiteLLM's proxy, through
Portkey's gateway, and through our service without a model of its own. MODEL adds the lane `real`: bare vLLM and ours.

Every peer takes its turns alone: in each round each is started, measured at all levels, and stopped, in an order drawn
by SEED. So no idle server takes anything from the one that is measured, and each start is measured, too. Only the fake
provider is up all the time; its processor time is the row `direct`. The client, the provider and all peers run at the
niceness of Ray's workers.

An answer counts if it has status 200, the right `finish_reason`, [DONE] and, where the text is the expected one, the
right number of tokens. What the right text is, bare vLLM says before the first round, asked one question at a time.
`itl`: time between reads that brought text. `cpu_ms_per_answer`: user and system time of all processes of the peer,
Ray's daemons included. `cold_start_s`: from the command to the first right answer, with files in the page cache.
Keys that compare two peers are medians over the rounds of what was compared within a round.
"""

import asyncio
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peer_servers as servers
from bench.fixed_upstream import ANSWERS
from bench.load import Target, load, once
from bench.peer_environments import LITELLM, PORTKEY
from bench.peer_rows import Asked, Row, compared, row_of, table
from bench.processes import Used, cpu_by_role
from bench.service import write
from models import questions

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = float(os.environ.get("SECONDS", "4"))
LEVELS = tuple(int(n) for n in os.environ.get("LEVELS", "1,8,32,100").split(","))
SEED = int(os.environ.get("SEED", "1"))
MODEL = os.environ.get("MODEL", "")
PEERS = frozenset(filter(None, os.environ.get("PEERS", "").split(",")))  # for trying: these alone
# An answer of the paced provider takes 1.3 s.
LEAD_S = {"local": 0.7, "instant": 0.5, "paced": 1.4, "real": 3.0}
IDLE_S = 3.0
QUESTIONS = 64
SMALL = servers.LocalModel("ghost-small", "models/ghost-small")
REAL = servers.LocalModel(Path(MODEL).name, MODEL, "bfloat16", 2048, kv_gib=2, threads=os.cpu_count() or 1)
REAL_CLIENTS, REAL_TOKENS, REAL_SECONDS = 8, 64, 5 * SECONDS


@dataclass(frozen=True, slots=True)
class Load:
    """What a peer is asked in a turn."""

    lane: str
    peer: str
    asked: list[Asked]
    levels: Sequence[int]
    seconds: float = SECONDS
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A peer, and how it is loaded in a turn. `direct` needs no start."""

    server: servers.Server
    loads: list[Load]


class Bench:
    """Takes turns and keeps what was found."""

    def __init__(self) -> None:
        self.rows: defaultdict[tuple[str, str, int], list[Row]] = defaultdict(list)
        self.cpu_ms: defaultdict[tuple[str, str, int], list[dict[str, float]]] = defaultdict(list)
        self.cold_start_s: defaultdict[str, list[float]] = defaultdict(list)
        self.memory: defaultdict[str, list[dict[str, tuple[float, float]]]] = defaultdict(list)
        self.idle_share: defaultdict[str, list[float]] = defaultdict(list)
        self.problems: defaultdict[str, list[str]] = defaultdict(list)
        # On Linux a thread has its own niceness; what this process starts does not inherit it.
        self._client = ThreadPoolExecutor(1, initializer=lambda: renice(servers.NICE))

    def turn(self, turn: Turn, rng: random.Random) -> None:
        """Start a peer, measure it, stop it."""
        first = turn.loads[0].asked[0]
        with servers.started(turn.server, first.body, first.finish) as peer:
            self.cold_start_s[turn.server.name].append(peer.cold_start_s)
            self.measure(turn, peer, rng)

    def measure(self, turn: Turn, peer: servers.Started, rng: random.Random) -> None:
        """All levels of all loads, in any order, after a warm-up."""
        for one in turn.loads:
            self._measured(turn.server.target, peer, one, max(one.levels), keep=False)
        before = peer.tree.read()
        time.sleep(IDLE_S)
        idle_s = sum(cpu_by_role(before, peer.tree.read()).values())
        self.idle_share[turn.server.name].append(idle_s / IDLE_S)
        todo = [(one, clients) for one in turn.loads for clients in one.levels]
        for one, clients in rng.sample(todo, len(todo)):
            self._measured(turn.server.target, peer, one, clients)
        found = {role: (m.rss_mb, m.pss_mb) for role, m in peer.tree.memory().items()}
        self.memory[turn.server.name].append(found)

    def _measured(self, target: Target, peer: servers.Started, one: Load, clients: int, keep: bool = True) -> None:
        edges: list[dict[tuple[int, int], Used]] = []
        bodies = [target.request(a.body) for a in one.asked]
        window = LEAD_S[one.lane], one.seconds if keep else 1.0
        at_edge = lambda: edges.append(peer.tree.read())  # noqa: E731
        loaded = self._client.submit(lambda: asyncio.run(load(target, bodies, clients, window, at_edge))).result()
        spent = cpu_by_role(*edges)
        row, wrong = row_of(loaded, one.asked, sum(spent.values()), one.top_logprobs)
        if not keep:
            return
        key = one.lane, one.peer, clients
        self.rows[key].append(row)
        self.problems[one.peer] += wrong[:3]
        answers = row["answers_per_s"] * (loaded.end_s - loaded.begin_s)
        self.cpu_ms[key].append({role: 1e3 * s / answers for role, s in spent.items() if answers})
        print(
            f"  {one.lane:<8}{one.peer:<14}{clients:>4} clients {row['answers_per_s']:8.1f} answers/s"
            f" {row['tokens_per_s']:8.0f} tokens/s  TTFT {row['ttft_p50_ms']:7.1f} ms"
            f"  CPU {row['cpu_ms_per_answer']:7.2f} ms  errors {row['errors']:.0f}",
            flush=True,
        )


def renice(niceness: int) -> None:
    """Set the niceness of this thread."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def reference(server: servers.Server, bodies: list[dict[str, Any]], finish: str = "stop") -> list[Asked]:
    """The questions with the answers of bare vLLM, asked one after the other. Answers without an end are left out."""

    async def ask() -> list[Asked]:
        found = [(body, await once(server.target, body)) for body in bodies]
        return [Asked(b, a.text, a.completion_tokens or 0) for b, a in found if a.finish == finish]

    with servers.started(server, bodies[0], finish):
        return asyncio.run(ask())


def body_of(model: str, prompt: str, **more: Any) -> dict[str, Any]:
    """A request for a streamed, greedy answer."""
    told = {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
    return {**told, "max_tokens": 300, "stream": True, "stream_options": {"include_usage": True}, **more}


def local_turns() -> list[Turn]:
    """The turns of the lane `local`, and of `real` if there is a model."""
    bodies = [body_of(SMALL.name, q.prompt) for q in questions.sample("test", SEED, QUESTIONS)]
    vllm, ray, ours = servers.vllm(SMALL), servers.ray_serve_llm(SMALL), servers.ours_local(SMALL)
    turns = []
    if wanted(vllm, ray, ours):
        asked = reference(vllm, bodies)
        with_logprobs = [
            Asked(a.body | {"logprobs": True, "top_logprobs": 20}, a.text, a.tokens, a.finish) for a in asked
        ]
        lp20 = Load("local", "vllm lp20", with_logprobs, LEVELS, top_logprobs=20)
        turns = [
            Turn(vllm, [Load("local", "vllm", asked, LEVELS), lp20]),
            Turn(ray, [Load("local", "ray.serve.llm", asked, LEVELS)]),
            Turn(ours, [Load("local", "ours", asked, LEVELS)]),
        ]
    if MODEL:
        tasks = ("sorts a list by merging", "parses a date", "walks a tree", "counts words", "checks a checksum")
        prompts = [f"Write a Python function that {task}, with tests. Variant {i}." for i in range(4) for task in tasks]
        texts = [Asked(body_of(REAL.name, p, max_tokens=REAL_TOKENS), None, REAL_TOKENS, "length") for p in prompts]
        for server, peer in ((servers.vllm(REAL), "vllm"), (servers.ours_local(REAL), "ours")):
            turns.append(
                Turn(_renamed(server, f"{peer} (real)"), [Load("real", peer, texts, (REAL_CLIENTS,), REAL_SECONDS)])
            )
    return turns


def gateway_turns() -> list[Turn]:
    """The turns of the lanes `instant` and `paced`."""

    def loads(peer: str) -> list[Load]:
        return [
            Load(lane, peer, [Asked(body_of(lane, "Who was Mira?"), "".join(words), len(words))], LEVELS)
            for lane, words in ANSWERS.items()
        ]

    return [
        Turn(servers.upstream(), loads("direct")),
        Turn(servers.litellm(), loads("litellm")),
        Turn(servers.portkey(), loads("portkey")),
        Turn(servers.ours_cloud(), loads("ours")),
    ]


def wanted(*of: servers.Server) -> bool:
    """Whether one of these is to be measured."""
    return not PEERS or any(server.name in PEERS for server in of)


def _renamed(server: servers.Server, name: str) -> servers.Server:
    return servers.Server(name, server.command, server.target, server.environment)


def run() -> tuple[Bench, list[str]]:
    """All rounds; also the order of the turns."""
    bench, rng, order = Bench(), random.Random(SEED), []
    turns = [t for t in (*local_turns(), *gateway_turns()) if wanted(t.server)]
    first = body_of("instant", "Who was Mira?")
    with servers.started(servers.upstream(), first) as provider:
        for number in range(ROUNDS):
            for turn in rng.sample(turns, len(turns)):
                print(f"round {number + 1}: {turn.server.name}", flush=True)
                order.append(turn.server.name)
                if turn.server.name == "direct":
                    bench.measure(turn, provider, rng)
                else:
                    bench.turn(turn, rng)
    return bench, order


def result(bench: Bench, order: list[str]) -> dict[str, Any]:
    """The keys of the bench and the rows of every peer."""
    found = compared(bench.rows)
    if cpu := bench.rows.get(("instant", "ours", 1)):
        found["gateway_cpu_ms_per_call_c1"] = statistics.median(row["cpu_ms_per_answer"] for row in cpu)
    for peer, name in (("ours", "local"), ("ours (cloud only)", "cloud_only")):
        if peer in bench.memory:
            found[f"rss_mb_{name}"] = _median(bench.memory[peer], lambda m: sum(rss for rss, _ in m.values()))
            found[f"pss_mb_{name}"] = _median(bench.memory[peer], lambda m: sum(pss for _, pss in m.values()))
            suffix = "" if name == "local" else f"_{name}"
            found[f"cold_start{suffix}_s"] = statistics.median(bench.cold_start_s[peer])
            found[f"cold_start{suffix}_s_range"] = [min(bench.cold_start_s[peer]), max(bench.cold_start_s[peer])]
    return found | {
        "rows": table(bench.rows),
        "cpu_ms_by_process": [
            {"lane": lane, "peer": peer, "clients": clients, **by_role(found)}
            for (lane, peer, clients), found in sorted(bench.cpu_ms.items())
        ],
        "started": [
            {
                "peer": peer,
                "cold_start_s": round(statistics.median(bench.cold_start_s[peer] or [0.0]), 2),
                "idle_cores": round(statistics.median(bench.idle_share[peer]), 4),
                "rss_mb": round(_median(found, lambda m: sum(rss for rss, _ in m.values()))),
                "pss_mb": round(_median(found, lambda m: sum(pss for _, pss in m.values()))),
                "pss_mb_by_process": {role: round(pss) for role, (_, pss) in found[-1].items()},
            }
            for peer, found in sorted(bench.memory.items())
        ],
        "problems": {peer: told[:10] for peer, told in bench.problems.items() if told},
        "litellm": f"{LITELLM[0]}, {servers.LITELLM_WORKERS} workers",
        "portkey": f"{'@'.join(PORTKEY)}, one process, as it has no other way",
        "cores": os.cpu_count(),
        "rounds": ROUNDS,
        "seconds": SECONDS,
        "seed": SEED,
        "order": order,
    }


def by_role(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median over the rounds of what each kind of process took, the most first; what took nothing is left out."""
    medians = {role: statistics.median(r.get(role, 0.0) for r in rounds) for role in {k for r in rounds for k in r}}
    return {role: round(ms, 3) for role, ms in sorted(medians.items(), key=lambda item: -item[1]) if ms >= 0.005}


def _median(found: list[Any], of: Callable[[Any], float]) -> float:
    return statistics.median(of(one) for one in found)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    began_s = time.perf_counter()
    found = result(*run())
    write("peers", {**found, "minutes": (time.perf_counter() - began_s) / 60})


if __name__ == "__main__":
    main()
