"""The real service - Ray, vLLM, HTTP - started once for the whole run, through the command people use."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from bench.servers import free_port
from tests.deployments.otlp import Collector, collector
from tests.service import lora_adapter, vision_model
from tests.shipped import MODELS, ROOT

START_S = 900.0
# Dollars per million tokens. Both models cost the same, so that no decision depends on it, and every cost can be seen.
PRICE = {"prompt_usd_per_mtok": 0.01, "completion_usd_per_mtok": 0.02}


@dataclass(frozen=True, slots=True)
class Service:
    """A running service.

    `pid` is that of `ghostrouter serve`; `screen` is what it has printed; `config` its file; `log` its log, and `state`
    the folder of its event store. `collector` gets the spans of its sessions.
    """

    url: str
    pid: int
    screen: str
    ray_api: str
    config: Path
    log: Path
    state: Path
    collector: Collector


def descendants(pid: int) -> set[int]:
    """All processes below `pid`, by parentage."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found, frontier = set[int](), {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def alive(pids: set[int]) -> set[int]:
    """Those of `pids` that still run (a zombie does not)."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            running.add(pid)
    return running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of serve_config.yaml on a free port. Besides it has a LoRA adapter, a vision and an embedding model.

    That it stops without remains is checked at the end.
    """
    with collector() as spans:
        yield from _running(tmp_path_factory.mktemp("service"), spans)


def _running(folder: Path, spans: Collector) -> Iterator[Service]:
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    config["http_options"]["port"] = free_port()
    args, state = config["applications"][0]["args"], folder / "state"
    args["events"] = {"folder": str(state)}
    args["models"] = [{**model, "price": PRICE} for model in args["models"]]
    lora_adapter.write(MODELS / "ghost-large", folder / "adapter")
    args["models"].append({"name": "ghost-adapted", "lora": str(folder / "adapter"), "base": "ghost-large"})
    vision_model.write(MODELS / "ghost-small", folder / "seeing")
    seeing = {**args["models"][0], "name": "ghost-seeing", "source": str(folder / "seeing"), "vision": True}
    seeing["engine_kwargs"] = seeing["engine_kwargs"] | {"max_model_len": 1024, "limit_mm_per_prompt": {"image": 2}}
    seeing["placement_group"] = {"bundles": [{"CPU": 0.05}]}  # all fits two processors
    seeing["deployment"] = seeing["deployment"] | {"ray_actor_options": {"num_cpus": 0.05}}
    del seeing["calibration"]
    args["models"].append(seeing)
    args["embeddings"] = [{"name": "minilm", "source": "all-MiniLM-L6-v2"}]
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [str(Path(sys.executable).with_name("ghostrouter")), "serve", str(path)]
    environment = {
        **os.environ,
        "GHOSTROUTER_LOG_DIR": str(folder),
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds
    }
    screen = folder / "screen.txt"
    with screen.open("wb") as out:
        child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=environment)
    url = f"http://127.0.0.1:{config['http_options']['port']}"
    try:
        printed = _wait(child, screen)
        ray_api = printed.partition("Ray API")[2].split()[0]
        yield Service(url, child.pid, printed, ray_api, path, folder / "serve.log", state, spans)
    finally:
        started = descendants(child.pid)
        child.send_signal(signal.SIGINT)
        child.wait(120)
    assert not alive(started), "Ctrl-C left processes behind"


def _wait(child: "subprocess.Popen[bytes]", screen: Path) -> str:
    """What is on the screen once the service is ready."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        printed = screen.read_text()
        if "curl -N" in printed:
            return printed
        if child.poll() is not None:
            break
        time.sleep(0.5)
    log = screen.with_name("serve.log")
    pytest.fail(f"the service did not start:\n{screen.read_text()}\n{log.read_text()[-4000:] if log.exists() else ''}")


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A plain HTTP client for the service."""
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield client
