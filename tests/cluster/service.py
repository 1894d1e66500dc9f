"""GhostRouter on several machines: a head that only keeps the books, and workers with an ingress each.

Sessions and Ray's own tables are in a Valkey server that outlives every machine.
"""

import copy
import json
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.servers import valkey
from deployments.node import lean_serve
from ghostrouter.cli.serve import ENVIRONMENT
from tests.cluster.machines import SWITCH, Machine
from tests.shipped import ROOT

PORT = 8000
_RAY_PORT = 6379
_START_S = 900.0
# A node that does not answer for so long is dead; Ray's default is half a minute.
_HEALTH = {
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "5",
}
_RAY = str(Path(sys.executable).with_name("ray"))


class Cluster:
    """A running cluster. `workers` serve HTTP; each can be killed, cut off and started again, and so can the head.

    `models` are the sections of the configuration that say which models there are; `each` are the deployments of which
    every worker has a replica.
    """

    def __init__(self, folder: Path, valkey_url: str, models: Mapping[str, Any], each: Sequence[str]) -> None:
        self._models, self._each = models, each
        self._folder, self._valkey_url, self._token = folder, valkey_url, secrets.token_hex(32)
        redis = valkey_url.removeprefix("valkey://").partition("/")[0]
        self._environment = {
            **ENVIRONMENT, **_HEALTH, **lean_serve.worker_environment(), "RAY_REDIS_ADDRESS": redis,
            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token, "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        self.head = Machine("head", 1, folder)
        self.workers = [Machine(f"worker{n}", 1 + n, folder) for n in (1, 2)]
        self._config = self._folder / "serve_config.yaml"
        self._change(lambda args: None)
        self.start_head()
        for worker in self.workers:
            self.start_worker(worker)

    def start_head(self) -> None:
        """Start Ray's head on its machine, and the program that deploys GhostRouter."""
        self._ray("--head", f"--port={_RAY_PORT}", "--num-cpus=0", "--include-dashboard=false", machine=self.head)
        self.head.start(
            ["bash", "-c", f"until {_RAY} health-check --address {self._address}; do sleep 1; done 2>/dev/null; "
             f"until {sys.executable} -m deployments.node {self._config}; do sleep 1; done"],
            {**self._environment, "RAY_ADDRESS": self._address},
        )  # fmt: skip

    def start_worker(self, worker: Machine) -> None:
        """Start Ray on a machine. It waits for the head."""
        self._ray(f"--address={self._address}", "--num-cpus=1", machine=worker)

    def _ray(self, *options: str, machine: Machine) -> None:
        """Start Ray, again and again: a node that was declared dead ends, and a busy one may not start in time."""
        start = f"{_RAY} start {' '.join(options)} --node-ip-address={machine.address} --disable-usage-stats --block"
        machine.start(["bash", "-c", f"until {start}; do {_RAY} stop --force; sleep 1; done"], self._environment)

    @property
    def _address(self) -> str:
        return f"{self.head.address}:{_RAY_PORT}"

    def redeploy(self, models: Mapping[str, Any] | None = None) -> None:
        """Deploy with another setting, which reaches every deployment, and with other `models` if there are any."""
        self._models = models or self._models

        def change(args: dict[str, Any]) -> None:
            args["sessions"]["traces_kept"] = 900
            for model in args.get("models", ()):
                model["env"]["GHOSTROUTER_DEPLOYED"] = "again"

        self._change(change)
        wanted = self._config.with_suffix(".json")
        wanted.write_text(json.dumps(yaml.safe_load(self._config.read_text())))
        asked = ["-X", "PUT", "--data-binary", f"@{wanted}", "-H", "content-type: application/json"]
        assert self._ask_ray(*asked, "-w", "%{http_code}") == "200"

    def replicas(self) -> dict[str, int]:
        """The number of replicas that run, by deployment; empty while Serve does not answer."""
        try:
            told = json.loads(self._ask_ray())["applications"]["ghostrouter"]["deployments"]
        except (ValueError, KeyError):
            return {}
        return {
            name: sum(replica["state"] == "RUNNING" for replica in deployment["replicas"])
            for name, deployment in told.items()
            if deployment["status"] == "HEALTHY"
        }

    def until_whole(self) -> None:
        """Wait until every worker has an engine and an ingress, and Serve is content with all deployments."""
        deadline_s = time.monotonic() + _START_S
        while True:
            found = self.replicas()
            on_each = all(found.get(name) == len(self.workers) for name in self._each)
            if on_each and all(self._is_up(worker) for worker in self.workers):
                return
            assert time.monotonic() < deadline_s, f"{found}; see {self._folder}"
            time.sleep(1)

    def statuses(self, body: Mapping[str, Any]) -> list[int]:
        """The HTTP status of a chat, from each worker."""
        urls = [f"http://{worker.address}:{PORT}/v1/chat/completions" for worker in self.workers]
        return [httpx.post(url, json=dict(body), timeout=60).status_code for url in urls]

    def _is_up(self, worker: Machine) -> bool:
        try:
            return httpx.get(f"http://{worker.address}:{PORT}/healthz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _ask_ray(self, *options: str) -> str:
        url = "http://127.0.0.1:8265/api/serve/applications/"
        return self.head.output("curl", "-s", "-m", "30", "-H", f"Authorization: Bearer {self._token}", *options, url)

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write the configuration."""
        args: dict[str, Any] = {
            **copy.deepcopy(dict(self._models)),
            "providers": {"discover": False},
            "classify": {"encoder": None},
            "journal": {"url": self._valkey_url, "lease_s": 5.0},
            "events": {"folder": str(self._folder / "state")},
            "ingress": {"num_replicas": 2, "max_replicas_per_node": 1, "health_check_period_s": 1},
            "sessions": {"max_failures": 8, "first_token_s": 300, "stall_s": 15},
        }
        change(args)
        app = {"name": "ghostrouter", "route_prefix": "/", "import_path": "graph:build", "args": args}
        options = {"host": "0.0.0.0", "port": PORT}  # noqa: S104
        config = {"proxy_location": "Disabled", "http_options": options, "applications": [app]}
        self._config.write_text(yaml.safe_dump(config))

    @contextmanager
    def far_apart(self, delay_ms: float, loss: float) -> Iterator[None]:
        """All workers have long cables for a while."""
        for seed, worker in enumerate(self.workers):
            worker.lengthen_cable(delay_ms, loss, seed)
        try:
            yield
        finally:
            for worker in self.workers:
                worker.shorten_cable()

    def reached_after_ms(self) -> float:
        """How long a connection to the nearest worker takes, which is there and back again."""

        def connected(worker: Machine) -> float:
            began_s = time.perf_counter()
            socket.create_connection((worker.address, PORT), timeout=_START_S).close()
            return 1e3 * (time.perf_counter() - began_s)

        return min(map(connected, self.workers))

    def stop(self) -> None:
        """Kill all machines."""
        for machine in (*self.workers, self.head):
            machine.kill()


@contextmanager
def cluster(folder: Path, models: Mapping[str, Any], each: Sequence[str]) -> Iterator[Cluster]:
    """A cluster that is whole. The switch has to be there."""
    with valkey("--bind", "127.0.0.1", SWITCH, "--protected-mode", "no") as server:
        running = Cluster(folder, server.url.replace("127.0.0.1", SWITCH), models, each)
        try:
            running.until_whole()
            yield running
        finally:
            running.stop()


def vllm(name: str) -> dict[str, Any]:
    """A model of `bench/failover.yaml`, once on each worker."""
    config = yaml.safe_load((ROOT / "bench" / "failover.yaml").read_text())
    model = next(m for m in config["applications"][0]["args"]["models"] if m["name"] == name)
    # A worker has one processor: two engines do not fit on it.
    model["placement_group"] = {"bundles": [{"CPU": 0.5}]}
    return {"models": [model], "routes": {"default": {"models": [name]}}}


def provider(url: str, name: str = "slow") -> dict[str, Any]:
    """A model of a provider that writes slowly, and its `name` here."""
    slow = {"name": name, "base_url": url, "model": "slow", "context_tokens": 4096, "continues": "prefix"}
    return {"cloud": [slow], "routes": {"default": {"models": [name]}}}
