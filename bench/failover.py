"""Does an answer lose or repeat a token when processes die? Every few seconds a random process gets kill -9.

    make bench NAME=failover [SEED=1] [STREAMS=100] [AT_ONCE=100] [TOKENS=200] [HITS=100] [EVERY_S=5] [ALL_KILLED=40]

Each of STREAMS streams is first written undisturbed. Then all are written again, AT_ONCE at a time, while replicas,
engine cores and ingresses are killed, until HITS streams have been hit and each kind of process has died. Streams that
are left then run on undisturbed; where there are too few streams, another round of them begins. A killed ingress cuts
its connections; those clients come back with `Last-Event-ID`. An answer is right if its token ids, read from its
logprobs, are those of the undisturbed one.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench import servers
from bench.service import DASHBOARD, ROOT, running, write
from ghostrouter.cli.serve import authorization
from models import questions

SEED = int(os.environ.get("SEED", "1"))
STREAMS = int(os.environ.get("STREAMS", "100"))
AT_ONCE = int(os.environ.get("AT_ONCE", "100"))
TOKENS = int(os.environ.get("TOKENS", "200"))
HITS = int(os.environ.get("HITS", "100"))
ALL_KILLED = int(os.environ.get("ALL_KILLED", "40"))
EVERY_S = float(os.environ.get("EVERY_S", "5"))
MODELS = ("ghost-small", "ghost-large")
INGRESS = "Ingress"
KINDS = [(part, f"LocalEngine:{model}") for model in MODELS for part in ("replica", "engine core")]
KINDS.append(("replica", INGRESS))
CHAT = "/v1/chat/completions"
GIVE_UP_S = 600.0
CONFIG, URL = "bench/failover.yaml", "http://127.0.0.1:8100"


@dataclass(slots=True)
class Stream:
    """One answer as its client gets it, over all its connections."""

    body: dict[str, Any]
    tokens: list[str] = field(default_factory=list)
    text: str = ""
    last_id: str = ""
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    complete: bool = False
    connections: int = 0
    errors: list[str] = field(default_factory=list)
    ghost: dict[str, Any] = field(default_factory=dict)
    pauses_s: list[float] = field(default_factory=list)

    @property
    def hit(self) -> bool:
        """Whether the stream was hit: its engine or its connection died."""
        return self.connections > 1 or any(
            s["reason"] in ("failure", "resumed") for s in self.ghost.get("segments", ())
        )

    async def read(self, http: httpx.AsyncClient) -> None:
        """Read to the end. Come back whenever the connection breaks."""
        deadline = time.monotonic() + GIVE_UP_S
        while not self.complete and time.monotonic() < deadline:
            self.connections += 1
            headers = {"last-event-id": self.last_id} if self.last_id else {"idempotency-key": self.key}
            try:
                async with http.stream("POST", CHAT, json=self.body, headers=headers) as response:
                    if response.status_code == httpx.codes.OK:
                        await self._take(response)
                    else:
                        self.errors.append(f"HTTP {response.status_code}")
            except httpx.HTTPError as error:
                self.errors.append(type(error).__name__)
            if not self.complete:
                await asyncio.sleep(0.5)

    async def _take(self, response: httpx.Response) -> None:
        event_id, last_s = "", time.monotonic()
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line == "data: [DONE]":
                return
            elif line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                if "error" in event:
                    self.errors.append(event["error"]["message"])
                    return
                self.last_id, event_id = event_id or self.last_id, ""
                self.ghost = event.get("ghost", self.ghost)
                for choice in event["choices"]:
                    now_s = time.monotonic()
                    self.pauses_s.append(now_s - last_s)
                    last_s = now_s
                    self.text += choice["delta"].get("content") or ""
                    self.tokens += [t["token"] for t in (choice["logprobs"] or {}).get("content", [])]
                    self.complete = self.complete or choice["finish_reason"] is not None


def asked(streams: int = STREAMS, tokens: int = TOKENS) -> Iterator[dict[str, Any]]:
    """The requests: both models, greedy and sampled, long enough to be hit."""
    rng = random.Random(SEED)
    for i, question in enumerate(questions.sample("test", SEED, streams)):
        yield {
            "model": MODELS[i % 2],
            "messages": [{"role": "user", "content": question.prompt}],
            "stream": True,
            "logprobs": True,
            "min_tokens": tokens,
            "max_tokens": tokens,
            "seed": rng.randrange(1 << 31),
            "temperature": (0, 1)[i // 2 % 2],
        }


async def read_all(url: str, bodies: list[dict[str, Any]], trouble: "Trouble | None" = None) -> list[Stream]:
    """Read all streams. With `trouble`, a process dies every few seconds meanwhile."""
    streams = [Stream(body) for body in bodies]
    killing = asyncio.create_task(trouble.make(streams)) if trouble else None
    await _read(url, streams)
    if killing:
        killing.cancel()
        with suppress(asyncio.CancelledError):  # another error of its own is one of the bench
            await killing
    return streams


async def _read(url: str, streams: Sequence[Stream]) -> None:
    limits, places = httpx.Limits(max_connections=None), asyncio.Semaphore(AT_ONCE)

    async def read(stream: Stream) -> None:
        async with places:
            await stream.read(http)

    async with httpx.AsyncClient(base_url=url, timeout=GIVE_UP_S, limits=limits) as http:
        await asyncio.gather(*(read(s) for s in streams))


class Trouble:
    """Kills random processes of the service, of kinds that run twice. Kinds that have died least come first.

    One replica that can continue always survives. Serve says which replicas run; on a busy machine it takes a while to
    say so, and what it said last is used meanwhile. The engine core contains the worker too
    (`deployments.engine.single_process`).
    """

    def __init__(self) -> None:
        self._rng = random.Random(SEED)
        self._told: dict[str, list[int]] = {}
        self._asking: asyncio.Task[None] | None = None
        self.streams: list[Stream] = []
        self.killed: list[str] = []

    @property
    def enough(self) -> bool:
        """Whether HITS streams have been hit and each kind of process has died."""
        return sum(s.hit for s in self.streams) >= HITS and set(self.killed) == {_words(*kind) for kind in KINDS}

    async def make(self, streams: Sequence[Stream]) -> None:
        """Kill at most one process every EVERY_S seconds while `streams` run, until it is enough."""
        self.streams += streams
        self._asking = self._asking or asyncio.create_task(self._ask())
        while not self.enough:
            await asyncio.sleep(EVERY_S)
            running = {name: [pid for pid in self._told.get(name, ()) if parent(pid)] for _, name in KINDS}
            kinds = [(part, name) for part, name in KINDS if len(running[name]) > 1]
            if kinds:
                self._rng.shuffle(kinds)
                part, name = min(kinds, key=lambda kind: self.killed.count(_words(*kind)))
                self._kill(part, name, running[name])

    def stop(self) -> None:
        """Ask Serve no more."""
        if self._asking:
            self._asking.cancel()

    async def _ask(self) -> None:
        async with httpx.AsyncClient(base_url=DASHBOARD, headers=authorization(), timeout=GIVE_UP_S) as ray:
            while True:
                with suppress(httpx.HTTPError):
                    self._told = await _running(ray)
                await asyncio.sleep(1)

    def _kill(self, part: str, name: str, replicas: list[int]) -> None:
        victim = self._rng.choice(replicas)
        if part == "engine core":
            cores = (pid for pid, line in command_lines() if "EngineCore" in line and parent(pid) == victim)
            victim = next(cores, 0)
        if victim:
            os.kill(victim, signal.SIGKILL)
            self.killed.append(_words(part, name))
            print(f"  killed one {self.killed[-1]}", flush=True)


def _words(part: str, name: str) -> str:
    return f"{part} of {name}"


async def all_back() -> None:
    """Wait until two replicas of everything run."""
    async with httpx.AsyncClient(base_url=DASHBOARD, headers=authorization(), timeout=GIVE_UP_S) as ray:
        while True:
            running = await _running(ray)
            if all(len(running[name]) > 1 for _, name in KINDS):
                return
            await asyncio.sleep(1)


async def _running(ray: httpx.AsyncClient) -> dict[str, list[int]]:
    """Process ids of the replicas that serve, by deployment and by Serve's own account."""
    answer = (await ray.get("/api/serve/applications/")).raise_for_status().json()
    return {
        name: [r["pid"] for r in deployment["replicas"] if r["state"] == "RUNNING" and parent(r["pid"])]
        for name, deployment in answer["applications"]["ghostrouter"]["deployments"].items()
    }


def command_lines() -> Iterator[tuple[int, str]]:
    """All processes with their command lines."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_text().replace("\0", " ")
        except OSError:
            continue


def parent(pid: int) -> int:
    """The parent of a process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def orphans(url: str) -> int:
    """The requests that engines still run after all clients have left."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        deadline, running_now = time.monotonic() + 60, -1
        while running_now and time.monotonic() < deadline:
            status = (await http.get("/v1/status")).json()["models"].values()
            running_now = sum(s["running"] or 0 for s in status)
            await asyncio.sleep(1)
    return running_now


def compare(calm: Stream, troubled: Stream) -> tuple[int, int]:
    """The tokens of the undisturbed answer that the disturbed one lacks, and its extra tokens."""
    difference = len(calm.tokens) - len(troubled.tokens)
    return max(0, difference), max(0, -difference)


async def measure(url: str) -> dict[str, Any]:
    bodies = list(asked())
    print("  without trouble", flush=True)
    calm = await read_all(url, bodies)
    trouble = Trouble()
    troubled: list[tuple[Stream, Stream]] = []
    while not trouble.enough:
        await all_back()
        troubled += zip(calm, await read_all(url, bodies, trouble), strict=True)
        print(f"  {sum(s.hit for s in trouble.streams)} of {len(troubled)} streams hit", flush=True)
    trouble.stop()
    losses = [compare(a, b) for a, b in troubled]
    hit = [s for _, s in troubled if s.hit]
    pauses = sorted(max(s.pauses_s) for s in hit if s.pauses_s)  # a stream that gave up may have got nothing
    return {
        "completed_share": statistics.mean(s.complete for _, s in troubled),
        "lost_tokens": sum(lost for lost, _ in losses),
        "duplicated_tokens": sum(more for _, more in losses),
        "identical_share": statistics.mean(a.text == b.text and a.tokens == b.tokens for a, b in troubled),
        "pause_p50_s": statistics.median(pauses) if pauses else None,
        "pause_p99_s": pauses[int(0.99 * (len(pauses) - 1))] if pauses else None,
        "orphan_requests": await orphans(url),
        "streams": len(troubled),
        "streams_hit": len(hit),
        "resumed_by_clients": sum(s.connections > 1 for s in hit),
        "killed": {kind: trouble.killed.count(kind) for kind in sorted(set(trouble.killed))},
        "different": [
            {"model": a.body["model"], "temperature": a.body["temperature"], "segments": b.ghost.get("segments")}
            for a, b in troubled
            if a.tokens != b.tokens
        ],
        "gave_up": [{"tokens": len(s.tokens), "errors": s.errors[-3:]} for _, s in troubled if not s.complete],
        "errors": sorted({e for _, s in troubled for e in s.errors}),
        "seed": SEED,
    }


async def all_killed(valkey_url: str) -> dict[str, Any]:
    """Kill all processes of the service at once. What do the clients get when they come back?"""
    wanted = yaml.safe_load((ROOT / CONFIG).read_text())
    wanted["applications"][0]["args"]["journal"] = {"url": valkey_url}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        yaml.safe_dump(wanted, config)
        config.flush()
        bodies = list(asked(ALL_KILLED))
        with running(config.name, URL) as url:
            calm = await read_all(url, bodies)
            streams = [Stream(body) for body in bodies]
            doomed = await processes("Ingress", "Replay")  # asked for now, because the answer takes a while
            reading = asyncio.create_task(_read(url, streams))
            while statistics.mean(len(s.tokens) for s in streams) < TOKENS / 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            for pid in doomed:
                os.kill(pid, signal.SIGKILL)
            unfinished = sum(not s.complete for s in streams)
        with running(config.name, URL) as url:
            await reading
            again = [Stream(s.body, last_id=f"{s.last_id.partition(':')[0]}:0") for s in calm]
            await _read(url, again)
    whole = [b.complete and a.tokens == b.tokens for a, b in zip(calm * 2, streams + again, strict=True)]
    return {
        "all_processes_killed_resumed_share": statistics.mean(whole),
        "all_processes_killed_running": unfinished,
        "all_processes_killed_finished": len(whole) - unfinished,
    }


async def processes(*names: str) -> list[int]:
    """The process ids of all replicas of these deployments."""
    async with httpx.AsyncClient(base_url=DASHBOARD, headers=authorization(), timeout=GIVE_UP_S) as ray:
        replicas = await _running(ray)
    return [pid for name in names for pid in replicas[name]]


def main() -> None:
    with running(CONFIG, URL) as url:
        result = asyncio.run(measure(url))
    if ALL_KILLED:
        with servers.valkey() as server:
            result |= asyncio.run(all_killed(server.url))
    write("failover", result)


if __name__ == "__main__":
    main()
