"""Is a stream cut when a deployment is scaled down or everything is deployed again while answers are written?

    make bench NAME=drain [SEED=1] [STREAMS=24] [TOKENS=1500]

Each stream is first written undisturbed. Then STREAMS of them run while Serve removes one of two replicas of each
model. Then they run again while Serve gets another configuration, which replaces every replica of every deployment.
"""

import asyncio
import os
import statistics
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import yaml

from bench.failover import MODELS, Stream, all_back, asked, compare, read_all
from bench.service import DASHBOARD, ROOT, running, write
from ghostrouter.cli.serve import authorization

CONFIG = "bench/failover.yaml"
STREAMS = int(os.environ.get("STREAMS", "24"))
TOKENS = int(os.environ.get("TOKENS", "1500"))
BEGUN_S = 3.0


async def put(change: Callable[[dict[str, Any]], None]) -> None:
    """Give Serve the bench's configuration with some changes."""
    wanted = yaml.safe_load((ROOT / CONFIG).read_text())
    change(wanted["applications"][0])
    async with httpx.AsyncClient(base_url=DASHBOARD, headers=authorization(), timeout=60) as ray:
        (await ray.put("/api/serve/applications/", json=wanted)).raise_for_status()


async def scale_down() -> None:
    """Scale each model down to one replica."""
    fewer = [{"name": f"LocalEngine:{model}", "num_replicas": 1} for model in MODELS]
    await put(lambda app: app.update(deployments=fewer))


async def redeploy() -> None:
    """Deploy everything again: a changed argument reaches all deployments."""

    def change(app: dict[str, Any]) -> None:
        app["args"]["sessions"]["traces_kept"] = 900
        for model in app["args"]["models"]:
            model["env"] = {**model["env"], "GHOSTROUTER_DEPLOYED": "again"}

    await put(change)


async def during(url: str, bodies: list[dict[str, Any]], act: Callable[[], Awaitable[None]]) -> list[Stream]:
    """Run all streams, and call `act` in the middle of them."""
    writing = asyncio.create_task(read_all(url, bodies))
    await asyncio.sleep(BEGUN_S)
    await act()
    return await writing


def figures(name: str, calm: list[Stream], moved: list[Stream]) -> dict[str, Any]:
    """The figures of the streams."""
    losses = [compare(a, b) for a, b in zip(calm, moved, strict=True)]
    reasons = [s["reason"] for m in moved for s in m.ghost.get("segments", ())]
    return {
        f"{name}_completed_share": statistics.fmean(s.complete for s in moved),
        f"{name}_identical_share": statistics.fmean(a.tokens == b.tokens for a, b in zip(calm, moved, strict=True)),
        f"{name}_lost_tokens": sum(lost for lost, _ in losses),
        f"{name}_duplicated_tokens": sum(more for _, more in losses),
        f"{name}_streams_cut": sum(s.connections > 1 for s in moved),
        f"{name}_moves": {r: reasons.count(r) for r in sorted(set(reasons) - {"plan"})},
        f"{name}_pause_p50_s": statistics.median(max(s.pauses_s) for s in moved),
        f"{name}_errors": sorted({e for s in moved for e in s.errors}),
    }


async def measure(url: str) -> dict[str, Any]:
    bodies = list(asked(STREAMS, TOKENS))
    calm = await read_all(url, bodies)
    scaled = await during(url, bodies, scale_down)
    await put(lambda app: None)
    await all_back()
    anew = await during(url, bodies, redeploy)
    return figures("scale_down", calm, scaled) | figures("redeploy", calm, anew) | {"streams": len(bodies)}


def main() -> None:
    with running(CONFIG, "http://127.0.0.1:8100") as url:
        write("drain", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
