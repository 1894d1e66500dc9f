"""Does the service leak? Mixed traffic of good and bad clients, with faults of providers and killed processes.

    make bench NAME=soak [MINUTES=10] [CLIENTS=12] [KILL_EVERY_S=60] [SEED=1]

The service is that of serve_config.yaml, with budgets and with a provider that breaks in every way that
`bench/upstream.py` knows. Clients (`bench/soak_load.py`) stream, read slowly, leave, cancel, and send huge and tiny
prompts. Every KILL_EVERY_S seconds a replica or an engine core of a local model gets kill -9.

`lost`: sessions whose client was told neither an end nor an error, and known ones that the event store does not have in
the end. `rss_slope_mb_per_h`: the sum of the slopes of all processes that lived through the last two thirds.
`open_fds_delta`: of all processes by their roles, before and after, at rest. `leaked_reservations`: what is still held
at rest: reservations of the ledger, and requests that engines run.
"""

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.failover import command_lines, parent, processes
from bench.peer_rows import percentile
from bench.servers import free_port
from bench.service import ROOT, running, write
from bench.soak_growth import Growth
from bench.soak_load import FAULTS, Account, Clients
from bench.upstream import Provider, serving
from ghostrouter.access.ledger import Ledger

MINUTES = float(os.environ.get("MINUTES", "10"))
CLIENTS = int(os.environ.get("CLIENTS", "12"))
KILL_EVERY_S = float(os.environ.get("KILL_EVERY_S", "60"))
SEED = int(os.environ.get("SEED", "1"))
MODELS = ("ghost-small", "ghost-large")
_PRICE = {"prompt_usd_per_mtok": 0.01, "completion_usd_per_mtok": 0.02}
_SAMPLE_S = 5.0
# Before the first count of files: every kind of client has been there.
_WARM_UP_S = 30.0
_REST_S = 15.0
_IDLE_S = 180.0
# Sessions are kept for an hour otherwise: in a short run the store would only grow.
_KEPT_S = 60.0


@contextmanager
def configured(folder: Path, provider_url: str) -> Iterator[tuple[str, str]]:
    """The file of the configuration, and the service's URL."""
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    config["http_options"]["port"] = port = free_port()
    args = config["applications"][0]["args"]
    args["models"] = [{**model, "price": _PRICE} for model in args["models"]]
    known = {"base_url": provider_url, "context_tokens": 4096, "continues": "prefix", "price": _PRICE}
    args |= {
        "cloud": [{"name": f"cloud-{fault}", "model": fault, **known} for fault in FAULTS],
        "providers": {"discover": False},
        "budgets": {"folder": str(folder), "limits": [{"scope": "model", "window": "day", "usd": 1000.0}]},
        "events": {"folder": str(folder)},
        "sessions": {"traces_kept": 1_000_000, "stall_s": 10, "first_token_s": 120},
        "journal": {"keep_s": _KEPT_S},
    }
    path = folder / "soak.yaml"
    path.write_text(yaml.safe_dump(config))
    yield str(path), f"http://127.0.0.1:{port}"


async def kill(rng: random.Random, killed: list[str]) -> None:
    """Kill a replica or an engine core of a local model every KILL_EVERY_S seconds, one model after the other."""
    while True:
        await asyncio.sleep(KILL_EVERY_S)
        model, part = MODELS[len(killed) % 2], rng.choice(("replica", "engine core"))
        with suppress(httpx.HTTPError, KeyError):  # Serve does not answer at the moment
            victim = next(iter(await processes(f"LocalEngine:{model}")), 0)
            if part == "engine core":
                victim = next((p for p, line in command_lines() if "EngineCore" in line and parent(p) == victim), 0)
            if victim:
                os.kill(victim, signal.SIGKILL)
                killed.append(f"{part} of {model}")
                print(f"  killed one {killed[-1]}", flush=True)


async def watch(growth: Growth) -> None:
    """Note the memory again and again."""
    while True:
        growth.sample(time.monotonic())
        await asyncio.sleep(_SAMPLE_S)


async def held(http: httpx.AsyncClient, ledger: Ledger) -> int:
    """What is still held when nobody asks any more: reservations, and requests in engines. Waits a while for zero."""
    deadline_s = time.monotonic() + _IDLE_S
    while True:
        status = (await http.get("/v1/status")).json()["models"].values()
        found = await asyncio.to_thread(ledger.open) + sum(model["running"] or 0 for model in status)
        if not found or time.monotonic() > deadline_s:
            return found
        await asyncio.sleep(1)


async def whole(http: httpx.AsyncClient) -> None:
    """Wait until both models are ready."""
    while True:
        models = (await http.get("/v1/status")).json()["models"]
        if all(models[name]["ready"] for name in MODELS):
            return
        await asyncio.sleep(1)


async def unknown(http: httpx.AsyncClient, ids: set[str]) -> list[str]:
    """The sessions that the event store does not know."""
    return [id for id in sorted(ids) if (await http.get(f"/v1/traces/{id}")).status_code != httpx.codes.OK]


def root() -> int:
    """The process of `ghostrouter serve` that this bench has started."""
    return next(pid for pid, line in command_lines() if parent(pid) == os.getpid() and " serve " in line)


async def measure(url: str, folder: Path) -> dict[str, Any]:
    ledger, growth, killed = Ledger(f"sqlite:///{folder}/budgets.sqlite"), Growth(root()), list[str]()
    first, clients = Clients(url, SEED + 1), Clients(url, SEED)
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        await first.run(CLIENTS, time.monotonic() + _WARM_UP_S)
        await first.close()
        await held(http, ledger)
        await asyncio.sleep(_REST_S)
        files = growth.open_files()
        began_s = time.monotonic()
        end_s = began_s + 60 * MINUTES
        beside = [asyncio.create_task(watch(growth)), asyncio.create_task(kill(random.Random(SEED), killed))]
        await clients.run(CLIENTS, end_s)
        for task in beside:
            task.cancel()
        await clients.close()
        await whole(http)
        still_held = await held(http, ledger)
        await asyncio.sleep(_REST_S)
        files_after = growth.open_files()
        forgotten = await unknown(http, clients.account.ids)
    ledger.close()
    slopes = growth.slopes_mb_per_h(began_s + (end_s - began_s) / 3, end_s - 2 * _SAMPLE_S)
    _tell(clients.account, slopes, files, files_after, forgotten)
    return {
        "sessions": clients.account.sessions,
        "lost": len(clients.account.lost) + len(forgotten),
        "rss_slope_mb_per_h": sum(slopes.values()),
        "open_fds_delta": sum(files_after.values()) - sum(files.values()),
        "leaked_reservations": still_held,
        "p99_ttft_ms": 1e3 * percentile(clients.account.first_token_s, 0.99),
    }


def _tell(
    account: Account, slopes: dict[str, float], before: dict[str, int], after: dict[str, int], forgotten: list[str]
) -> None:
    """Print what the figures are made of."""
    for end, count in sorted(account.ends.items()):
        print(f"  {end:<32} {count}")
    for line in [*account.lost[:20], *(f"no trace of {id}" for id in forgotten[:20])]:
        print(f"  lost: {line}")
    for role in sorted({*before, *after}):
        told = f"files {before.get(role, 0):>4} -> {after.get(role, 0):>4}"
        print(f"  {role:<44} {told}   {slopes.get(role, 0.0):+8.1f} MB/h")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ghostrouter-soak-") as temporary, serving(Provider()) as provider_url:
        folder = Path(temporary)
        with configured(folder, provider_url) as (config, url), running(config, url):
            write("soak", asyncio.run(measure(url, folder)))


if __name__ == "__main__":
    main()
