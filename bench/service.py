"""The running service for benches: start it if needed, ask questions, read traces."""

import asyncio
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.servers import until_up
from ghostrouter.cli.serve import authorization

ROOT = Path(__file__).parent.parent
GHOSTROUTER = str(Path(sys.executable).with_name("ghostrouter"))
START_S = 600.0
# Of a vLLM server that shares a small machine with others.
VLLM_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
}
DASHBOARD = os.environ.get("RAY_DASHBOARD", "http://127.0.0.1:8265")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the text, the `ghost` object (who wrote what) and the time.

    `logprobs` holds OpenAI's entries, one per token, if they were asked for.
    """

    text: str
    ghost: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    logprobs: list[dict[str, Any]]


def local_model(name: str, source: str, dtype: str, max_model_len: int, threads: int | None = None) -> dict[str, Any]:
    """The configuration of a model, in a folder or by its hub id, on a small machine that has other work too.

    `threads` is how many the engine computes with; None: one, as Ray sets it for actors with less than a core.
    """
    shared = ("VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_LOGGING_LEVEL")
    environment = {variable: VLLM_ENVIRONMENT[variable] for variable in shared}
    return {
        "name": name,
        "source": source,
        "sampling": {"temperature": 0},
        "engine_kwargs": {"dtype": dtype, "enforce_eager": True, "max_model_len": max_model_len, "block_size": 32},
        "placement_group": {"bundles": [{"CPU": 0.3}]},
        "deployment": {"num_replicas": 1, "autoscaling_config": None, "ray_actor_options": {"num_cpus": 0.2}},
        "env": environment | ({"OMP_NUM_THREADS": str(threads)} if threads else {}),
    }


@contextmanager
def running(config: str = "serve_config.yaml", url: str = "http://127.0.0.1:8000") -> Iterator[str]:
    """The URL of the service: GHOSTROUTER_URL, or a running service, or one that is started here."""
    url = os.environ.get("GHOSTROUTER_URL", url)
    health = f"{url}/healthz"
    if _answers(health):
        yield url
        return
    print(f"starting the service ({config}) ...", flush=True)
    with server([GHOSTROUTER, "serve", config], health, "bench-service"):
        yield url


@contextmanager
def server(command: list[str], health: str, name: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Start a process that serves HTTP, wait until `health` answers 200, and stop it at the end.

    It logs to logs/NAME.log.

    Raises:
        RuntimeError: it ended, or did not answer within START_S.
    """
    log = ROOT / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    whole = {**os.environ, **(environment or {})}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=ROOT, env=whole, stdout=out, stderr=subprocess.STDOUT) as child,  # noqa: S603
    ):
        try:
            until_up(health, child, log, START_S)
            yield
        finally:
            child.terminate()
            child.wait(120)


def _answers(health: str) -> bool:
    try:
        return httpx.get(health, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class Client:
    """Asks questions in parallel, at most `concurrency` at a time."""

    def __init__(self, url: str, concurrency: int) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=300)
        self._slots = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def ask(self, messages: Sequence[dict[str, str]], **body: Any) -> Answer:
        """Stream one answer.

        Raises:
            RuntimeError: the service answered with an error.
        """
        async with self._slots:
            began = time.perf_counter()
            text = ""
            ghost: dict[str, Any] = {}
            usage: dict[str, int] = {}
            logprobs: list[dict[str, Any]] = []
            asked = {"messages": list(messages), "stream": True, "stream_options": {"include_usage": True}, **body}
            async with self._http.stream("POST", "/v1/chat/completions", json=asked) as response:
                if response.status_code != httpx.codes.OK:
                    raise RuntimeError((await response.aread()).decode())
                async for line in response.aiter_lines():
                    if not line.startswith("data: {"):
                        continue
                    event = json.loads(line.removeprefix("data: "))
                    if "error" in event:
                        raise RuntimeError(event["error"]["message"])
                    ghost = event.get("ghost", ghost)
                    usage = event.get("usage", usage)
                    for choice in event["choices"]:
                        text += choice["delta"].get("content") or ""
                        logprobs += (choice["logprobs"] or {}).get("content", [])
            return Answer(
                text, ghost, usage["prompt_tokens"], usage["completion_tokens"], time.perf_counter() - began, logprobs
            )

    async def ask_all(self, questions: Sequence[str], **body: Any) -> list[Answer]:
        """One answer for each question, in order."""
        return await asyncio.gather(*(self.ask([{"role": "user", "content": q}], **body) for q in questions))


async def recalibrate(config: str, calibrations: Mapping[str, str]) -> None:
    """Give telemetry other calibration files while the service runs: its configuration with another `user_config`."""
    wanted = yaml.safe_load((ROOT / config).read_text())
    absolute = {model: str((ROOT / path).resolve()) for model, path in calibrations.items()}
    wanted["applications"][0]["deployments"] = [{"name": "Telemetry", "user_config": {"calibrations": absolute}}]
    async with httpx.AsyncClient(base_url=DASHBOARD, headers=authorization(), timeout=60) as ray:
        (await ray.put("/api/serve/applications/", json=wanted)).raise_for_status()
        while True:
            app = (await ray.get("/api/serve/applications/")).json()["applications"]["ghostrouter"]
            told = app["deployments"]["Telemetry"]["deployment_config"].get("user_config") or {}
            if app["status"] == "RUNNING" and told.get("calibrations") == absolute:
                return
            await asyncio.sleep(1)


def _valid(value: Any) -> Any:
    """Replace NaN by null, because JSON has no NaN."""
    if isinstance(value, dict):
        return {k: _valid(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(name: str, result: dict[str, Any]) -> None:
    """Print a table and write bench/results/`name`.json."""
    result = _valid(result)
    width = max(map(len, result))
    for key, value in result.items():
        if isinstance(value, dict):
            value = "".join(f"\n  {k}: {v}" for k, v in value.items())
        if isinstance(value, list) and key.endswith("_range"):
            value = f"{value[0]:.4g} .. {value[1]:.4g}"
        if isinstance(value, list):
            value = f"{len(value)} (see the file)" if value else "none"
        print(f"{key:<{width}}  {value:.4g}" if isinstance(value, float) else f"{key:<{width}}  {value}")
    path = ROOT / "bench" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    print(f"\nwritten to {path.relative_to(ROOT)}")
