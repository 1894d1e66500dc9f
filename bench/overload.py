"""What happens at three times the load that a service can bear? The real service, with `access.max_running`.

    make bench NAME=overload [PLACES=16] [SECONDS=30] [TIMES=3] [SEED=1]

First as many clients as there are places ask one question after the other: that is the capacity, and the latency at
full load. Then requests arrive by chance (Poisson), TIMES as many a second, with keys of three priorities: 20 % are
high, 40 % normal, 40 % low. `shed_share` is the share that is refused with 429, `retry_after_share` the share of those
that say when to come back. `p99_ttft_ratio_accepted` compares the times to the first token of the accepted ones with
those at capacity. Whatever is neither answered nor refused so is in `failed`.
"""

import asyncio
import hashlib
import json
import os
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.peer_rows import percentile
from bench.servers import free_port
from bench.service import ROOT, running, write
from models import questions

PLACES = int(os.environ.get("PLACES", "16"))
SECONDS = float(os.environ.get("SECONDS", "30"))
TIMES = float(os.environ.get("TIMES", "3"))
SEED = int(os.environ.get("SEED", "1"))
SHARES = {"high": 0.2, "normal": 0.4, "low": 0.4}
TOKENS = 48
_WARM_UP_S = 5.0
_GIVE_UP_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `first_s` is the time to its first token; None: it got none."""

    priority: str
    status: int
    first_s: float | None = None
    tells_when: bool = False
    is_whole: bool = False


def config(port: int, folder: str) -> dict[str, Any]:
    """The configuration of serve_config.yaml with one model, few places and a key of each priority."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    found["http_options"]["port"] = port
    args = found["applications"][0]["args"]
    keys = [{"name": p, "priority": p, "sha256": hashlib.sha256(p.encode()).hexdigest()} for p in SHARES]
    args |= {
        "models": [args["models"][0]],
        "routes": {"default": {"models": [args["models"][0]["name"]]}},
        "classify": {"encoder": None},
        "access": {"folder": folder, "keys": keys, "max_running": PLACES},
        "events": {"folder": folder},
    }
    return found


class Asker:
    """Asks the service."""

    def __init__(self, url: str, rng: random.Random) -> None:
        self._rng = rng
        self._asked = questions.sample("test", SEED, 200)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_GIVE_UP_S, limits=httpx.Limits(max_connections=None, max_keepalive_connections=None)
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, priority: str) -> Outcome:
        """Ask one question, and read its answer."""
        prompt = self._rng.choice(self._asked).prompt
        body = {
            "model": "ghost/auto", "messages": [{"role": "user", "content": prompt}], "stream": True,
            "min_tokens": TOKENS, "max_tokens": TOKENS,
        }  # fmt: skip
        headers = {"authorization": f"Bearer {priority}"}
        began_s, first_s, is_whole = time.monotonic(), None, False
        try:
            async with self._http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
                if response.status_code != httpx.codes.OK:
                    tells_when = int(response.headers.get("retry-after", "0")) > 0
                    return Outcome(priority, response.status_code, tells_when=tells_when)
                async for line in response.aiter_lines():
                    if line.startswith("data: {"):
                        choices = json.loads(line.removeprefix("data: ")).get("choices", ())
                        if first_s is None and any(c["delta"].get("content") for c in choices):
                            first_s = time.monotonic() - began_s
                        is_whole = is_whole or any(c["finish_reason"] for c in choices)
        except httpx.HTTPError:
            return Outcome(priority, 0)
        return Outcome(priority, 200, first_s, is_whole=is_whole)

    async def at_capacity(self, seconds: float) -> tuple[float, list[Outcome]]:
        """Answers per second with all places taken, and the answers."""
        found: list[Outcome] = []
        began_s = time.monotonic()

        async def client() -> None:
            while time.monotonic() < began_s + seconds:
                found.append(await self.ask("high"))

        await asyncio.gather(*(client() for _ in range(PLACES)))
        return len(found) / (time.monotonic() - began_s), found

    async def arriving(self, per_s: float, seconds: float) -> list[Outcome]:
        """What becomes of requests that come by chance, `per_s` a second."""
        asking: list[asyncio.Task[Outcome]] = []
        next_s = time.monotonic()
        end_s = next_s + seconds
        while next_s < end_s:
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            priority = self._rng.choices(list(SHARES), list(SHARES.values()))[0]
            asking.append(asyncio.create_task(self.ask(priority)))
            next_s += self._rng.expovariate(per_s)
        return await asyncio.gather(*asking)


def figures(capacity_per_s: float, full: list[Outcome], over: list[Outcome]) -> dict[str, Any]:
    """The result."""
    shed = [o for o in over if o.status == httpx.codes.TOO_MANY_REQUESTS]
    calm = percentile([o.first_s for o in full if o.first_s is not None], 0.99)
    accepted = percentile([o.first_s for o in over if o.first_s is not None], 0.99)
    by_priority = {
        f"{p}_priority_shed_share": _share([o.status == 429 for o in over if o.priority == p]) for p in SHARES
    }
    return {
        "shed_share": len(shed) / len(over),
        "retry_after_share": _share([o.tells_when for o in shed]),
        "p99_ttft_ratio_accepted": accepted / calm,
        **by_priority,
        "failed": sum(o.status not in (200, 429) or (o.status == 200 and not o.is_whole) for o in (*full, *over)),
        "p99_ttft_at_capacity_ms": 1e3 * calm,
        "p99_ttft_accepted_ms": 1e3 * accepted,
        "capacity_per_s": capacity_per_s,
        "times": TIMES,
        "requests": len(over),
        "places": PLACES,
        "seed": SEED,
    }


def _share(found: list[bool]) -> float:
    return sum(found) / len(found) if found else 0.0


async def measure(url: str) -> dict[str, Any]:
    asker = Asker(url, random.Random(SEED))
    await asker.at_capacity(_WARM_UP_S)
    capacity_per_s, full = await asker.at_capacity(SECONDS)
    over = await asker.arriving(TIMES * capacity_per_s, SECONDS)
    await asker.close()
    return figures(capacity_per_s, full, over)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ghostrouter-overload-") as folder:
        port, path = free_port(), Path(folder) / "overload.yaml"
        path.write_text(yaml.safe_dump(config(port, folder)))
        with running(str(path), f"http://127.0.0.1:{port}") as url:
            write("overload", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
