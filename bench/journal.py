"""What does it cost to write an answer down before it is delivered? The real actors, an engine that is made up.

    make bench NAME=journal [SECONDS=5] [SHARDS=2]

A deployment stands where the ingress does: it has the real client (`deployments/store/journal_client.py`) and writes to
real `Replay` deployments, or to a real Valkey server. Its engine is a timetable: each stream gets a growth of one token
at its times. The added inter-token latency of a growth is how much longer it came after the one before than the engine
made it; its wait is how long it was held. `growths_per_s_per_core` counts the processor time of both sides, with 1,000
streams that do not pause. In the last part one of the shards is stopped (SIGSTOP) for a second.
"""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve.handle import DeploymentHandle

from bench import servers
from bench.service import write
from deployments.replay import Replay
from deployments.store.journal_client import JournalClient, SessionLog, shard_of
from deployments.store.session_store import SessionStore
from deployments.store.shard_store import ShardStore
from deployments.store.valkey_store import ValkeyStore
from ghostrouter.cli.serve import ENVIRONMENT
from ghostrouter.config import Journal
from ghostrouter.conversation import Message
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.entries import Epoch, Opening
from ghostrouter.sessions.session import Growth, Session
from ghostrouter.types import Plan, Sampling, Token

SECONDS = float(os.environ.get("SECONDS", "5"))
SHARDS = int(os.environ.get("SHARDS", "2"))
# Streams, and growths per second of each: an engine replica sends at most 250 frames a second.
LOADS = ((1, 50.0), (100, 10.0), (1000, 1.0))
UNPACED = (1000, 20)
STOPPED_S = 1.0
PLAN = Plan(("made-up",), "")
ASK = Ask((Message("user", "Who was Xenia Farrow?" * 10),), Sampling(max_tokens=1_000_000), streaming=True)
# By stream: when each growth came, and how long it was held.
Held = list[tuple[str, list[tuple[float, float]]]]
TOKEN = Token(42, " word", -0.1234567, 1, 2.3456789, 0.3456789, 0.3456789, 0.3456789, 0.0212345, 0, False)


class Shard(Replay):
    """A `Replay` deployment that says which process it is and what that has used."""

    async def process(self) -> tuple[int, float]:
        """Its id, and seconds of processor time."""
        return os.getpid(), time.process_time()


class Stream:
    """One answer in the making."""

    def __init__(self, journal: JournalClient, name: str) -> None:
        self.session = Session(name, ASK, PLAN, time.monotonic())
        self.session.open("made-up", (1,), time.monotonic())
        opening = Opening(name, "me", ASK, PLAN, 1, self.session.opened_at_s, None)
        self.log = SessionLog(journal, opening, self.session, Epoch(0, "bench"))

    def growth(self) -> Growth:
        """One token more."""
        segment = self.session.current
        segment.tokens.append(TOKEN)
        segment.last_token_at_s, segment.generated_tokens = time.monotonic(), len(segment.tokens)
        segment.settled = len(segment.tokens)
        self.session.text += TOKEN.text
        return self.session.growth(len(segment.tokens) - 1, (TOKEN,), TOKEN.text)


class Writer:
    """Where the ingress would be."""

    def __init__(self, journal: Journal, replay: Sequence[DeploymentHandle]) -> None:
        self._settings = journal
        self._replay = replay
        self._run = 0

    async def process(self) -> tuple[int, float]:
        """Its process, and seconds of processor time."""
        return os.getpid(), time.process_time()

    async def paced(self, url: str, streams: int, per_s: float, seconds: float) -> Held:
        """When each growth of each stream came, and how long it was held, in seconds."""
        made = await self._streams(url, streams)
        begin_s = time.monotonic() + 0.5

        async def write(number: int, stream: Stream) -> tuple[str, list[tuple[float, float]]]:
            held: list[tuple[float, float]] = []
            for turn in range(round(seconds * per_s)):
                at_s = begin_s + (turn + number / streams) / per_s
                await asyncio.sleep(max(0.0, at_s - time.monotonic()))
                growth, came_s = stream.growth(), time.monotonic()
                await stream.log.grow(growth)
                held.append((came_s, time.monotonic() - came_s))
            return stream.session.id, held

        return await asyncio.gather(*(write(n, s) for n, s in enumerate(made)))

    async def unpaced(self, url: str, streams: int, growths: int) -> float:
        """How many seconds it takes to write these."""
        made = await self._streams(url, streams)

        async def write(stream: Stream) -> None:
            for _ in range(growths):
                await stream.log.grow(stream.growth())

        began_s = time.perf_counter()
        await asyncio.gather(*map(write, made))
        return time.perf_counter() - began_s

    async def _streams(self, url: str, streams: int) -> list[Stream]:
        settings = self._settings
        shards: list[SessionStore] = (
            [ValkeyStore(url, settings.keep_s, settings.lease_s)] if url else [ShardStore(h) for h in self._replay]
        )
        journal = JournalClient(shards, settings.patience_s, settings.lease_s, lambda *metric, **labels: None)
        self._run += 1
        made = [Stream(journal, f"s{self._run}-{i}") for i in range(streams)]
        await asyncio.gather(*(s.log.open(wait=False) for s in made))
        return made


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(found: Held) -> dict[str, float]:
    """Of waits, in milliseconds."""
    waits = [1e3 * w for _, stream in found for _, w in stream]
    added = [1e3 * (b - a) for _, stream in found for (_, a), (_, b) in pairwise(stream)]
    return {
        "added_itl_p50_ms": round(percentile(added, 0.5), 3),
        "added_itl_p99_ms": round(percentile(added, 0.99), 3),
        "wait_p50_ms": round(percentile(waits, 0.5), 3),
        "wait_p99_ms": round(percentile(waits, 0.99), 3),
    }


async def measure(writer: DeploymentHandle, shards: list[DeploymentHandle], journal: Journal, url: str) -> Any:
    """All of it."""
    await writer.unpaced.remote("", 100, 5)  # everything has been used once
    processes = [await handle.process.remote() for handle in (writer, *shards)]
    seconds = await writer.unpaced.remote("", *UNPACED)
    after = [await handle.process.remote() for handle in (writer, *shards)]
    used_s = sum(now_s - before_s for (_, now_s), (_, before_s) in zip(after, processes, strict=True))
    growths = UNPACED[0] * UNPACED[1]
    result: dict[str, Any] = {
        "growths_per_s_per_core": round(growths / used_s),
        "growths_per_s": round(growths / seconds),
        "streams": [streams for streams, _ in LOADS],
    }
    print(result, flush=True)
    for backend, address in (("memory", ""), ("valkey", url)):
        runs = []
        for streams, per_s in LOADS:
            found = figures(await writer.paced.remote(address, streams, per_s, SECONDS))
            runs.append({"streams": streams, "growths_per_s_each": per_s, **found})
            print(backend, runs[-1], flush=True)
        result[backend] = runs
        result[f"added_itl_p99_ms_{backend}"] = max(run["added_itl_p99_ms"] for run in runs)
    result |= await stopped(writer, processes[1][0], journal)
    return result


async def stopped(writer: DeploymentHandle, pid: int, journal: Journal) -> dict[str, Any]:
    """One shard stands still for a second: what do its streams wait, and what those of the others?"""
    streams, per_s = 100, 10.0
    writing = asyncio.ensure_future(_result(writer.paced.remote("", streams, per_s, SECONDS)))
    await asyncio.sleep(0.5 + SECONDS / 3)
    stopped_at_s = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    found = await writing

    def waited_s(held: list[tuple[float, float]]) -> float:
        """In all, by growths that came just before the shard stopped, or while it stood still."""
        return sum(w for at_s, w in held if stopped_at_s - 1 / per_s < at_s < stopped_at_s + STOPPED_S)

    its_own = [waited_s(held) for name, held in found if shard_of(name, SHARDS) == 0]
    others = [waited_s(held) for name, held in found if shard_of(name, SHARDS) != 0]
    return {
        "added_itl_p99_ms_shard_stopped": figures(found)["added_itl_p99_ms"],
        "shard_stopped": {
            "patience_ms": 1e3 * journal.patience_s,
            "longest_wait_ms": round(1e3 * max(w for _, held in found for _, w in held), 1),
            "waited_in_all_per_stream_p50_ms": round(1e3 * statistics.median(its_own), 1),
            "waited_in_all_per_stream_most_ms": round(1e3 * max(its_own), 1),
            "waited_in_all_per_stream_of_other_shards_p50_ms": round(1e3 * statistics.median(others), 1),
        },
    }


async def _result(response: Any) -> Any:
    return await response


def main() -> None:
    os.environ |= ENVIRONMENT
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    journal = Journal(shards=SHARDS, max_bytes=4_000_000_000)
    light: Any = {"ray_actor_options": {"num_cpus": 0.1}, "max_ongoing_requests": 100_000}
    try:
        serve.start(proxy_location="Disabled")
        shards = [
            serve.deployment(Shard, name=f"Replay{i}", **light).bind(journal=journal, shard=i) for i in range(SHARDS)
        ]
        app = serve.deployment(Writer, name="Writer", **light).bind(journal=journal, replay=shards)
        writer = serve.run(app, name="journal", route_prefix=None)
        handles = [serve.get_deployment_handle(f"Replay{i}", "journal") for i in range(SHARDS)]
        with servers.valkey() as server:
            write("journal", asyncio.run(measure(writer, handles, journal, server.url)))
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
