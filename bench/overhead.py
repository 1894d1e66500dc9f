"""What does a call cost besides the model? CPU time per call through the cloud pool, and through LiteLLM's SDK.

    make bench NAME=overhead [N=320] [CONNECTIONS=32]

Both stream a short answer from the same upstream, which answers at once, over the same number of connections. Each runs
in its own process, in turns: A B A B A B. CPU is that of the calling process (user and system), without warm-up and
imports. The upstream runs in a third process.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.peer_environments import LITELLM, python_of
from bench.servers import free_port
from bench.service import ROOT, write

N = int(os.environ.get("N", "320"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "32"))
ROUNDS = 3
LANES = ROOT / "bench" / "overhead_lanes"


def _run(python: Path | str, lane: str, url: str) -> dict[str, Any]:
    """One round of a lane: it prints one line of JSON."""
    done = subprocess.run(  # noqa: S603
        [str(python), str(LANES / f"{lane}.py"), url, str(N), str(CONNECTIONS)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT) if lane == "pool" else "", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    print(
        f"  {lane:<8} {found['cpu_ms_per_call']:.3f} ms of CPU a call, {found['calls_per_s']:.0f} calls/s", flush=True
    )
    return found


def main() -> None:
    litellm = python_of("litellm", LITELLM)
    port = free_port()
    upstream = subprocess.Popen([sys.executable, "-m", "bench.upstream", str(port)], cwd=ROOT)  # noqa: S603
    url = f"http://127.0.0.1:{port}/v1"
    try:
        _wait_for(port)
        rounds = [(_run(sys.executable, "pool", url), _run(litellm, "litellm", url)) for _ in range(ROUNDS)]
    finally:
        upstream.terminate()
        upstream.wait()
    ours, theirs = zip(*rounds, strict=True)
    own = statistics.median(r["cpu_ms_per_call"] for r in ours)
    other = statistics.median(r["cpu_ms_per_call"] for r in theirs)
    write(
        "overhead",
        {
            "cpu_ms_per_call": own,
            "calls_per_s": statistics.median(r["calls_per_s"] for r in ours),
            "litellm_cpu_ms_per_call": other,
            "litellm_calls_per_s": statistics.median(r["calls_per_s"] for r in theirs),
            "litellm_to_ours": other / own,
            "litellm_version": theirs[0]["version"],
            "rounds_ours": [r["cpu_ms_per_call"] for r in ours],
            "rounds_litellm": [r["cpu_ms_per_call"] for r in theirs],
            "connections": CONNECTIONS,
            "n": N,
        },
    )


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("the upstream did not start")


if __name__ == "__main__":
    main()
