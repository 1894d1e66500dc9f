"""How each peer of `make bench NAME=peers` is started, asked and stopped."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.arrivals import problem
from bench.load import Target, once
from bench.peer_environments import LITELLM, PORTKEY, PORTKEY_OVERRIDES, node_package, python_of
from bench.processes import ProcessTree
from bench.service import ROOT, VLLM_ENVIRONMENT

UPSTREAM_PORT = 8121
VLLM_PORT, RAY_LLM_PORT, LITELLM_PORT, PORTKEY_PORT, OURS_PORT = 8122, 8123, 8124, 8125, 8126
START_S, STOP_S = float(os.environ.get("START_S", "600")), 90.0
NICE = 15
# As many as cores are used; one each in the other peers, whose work is in one process.
LITELLM_WORKERS = os.cpu_count() or 1
_KEY = "sk-" + "bench-only-" * 3
_UPSTREAM = f"http://127.0.0.1:{UPSTREAM_PORT}/v1"
_ENGINE_VARIABLES = {**VLLM_ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0"}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that can be started."""

    name: str
    command: tuple[str, ...]
    target: Target
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """A server that runs. `cold_start_s` goes from its command to the first right answer."""

    tree: ProcessTree
    cold_start_s: float


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on this machine: its name, its folder, and how engines run it."""

    name: str
    folder: str
    dtype: str = "float32"
    context_tokens: int = 8192
    kv_gib: int = 1
    threads: int = 1

    def variables(self) -> dict[str, str]:
        return {
            **_ENGINE_VARIABLES,
            "VLLM_CPU_KVCACHE_SPACE": str(self.kv_gib),
            "OMP_NUM_THREADS": str(self.threads),
        }


def vllm(model: LocalModel) -> Server:
    """Bare vLLM's server with the engine's arguments of our configuration."""
    # What `vllm serve` runs; the command itself looks for a package named vllm, and on a CPU it is vllm-cpu.
    command = ("-m", "vllm.entrypoints.openai.api_server", "--model", model.folder, "--served-model-name", model.name)
    options = ["--dtype", model.dtype, "--enforce-eager", "--max-model-len", str(model.context_tokens)]
    options += ["--block-size", "32", "--max-logprobs", "20", "--host", "127.0.0.1", "--port", str(VLLM_PORT)]
    return Server("vllm", _nice(sys.executable, *command, *options), _target(VLLM_PORT), model.variables())


def ray_serve_llm(model: LocalModel) -> Server:
    """The OpenAI app of ray.serve.llm as it comes, run by `serve run`."""
    config = {
        "model_loading_config": {
            "model_id": model.name,
            "model_source": str((ROOT / model.folder).resolve()),
        },
        "accelerator_config": {"kind": "cpu"},
        "placement_group_config": {"bundles": [{"CPU": 0.3}]},
        "engine_kwargs": {
            "dtype": model.dtype,
            "enforce_eager": True,
            "max_model_len": model.context_tokens,
            "block_size": 32,
        },
        "deployment_config": {"num_replicas": 1, "ray_actor_options": {"num_cpus": 0.2}},
        "runtime_env": {"env_vars": model.variables()},
    }
    app = {
        "name": "llm",
        "route_prefix": "/",
        "import_path": "ray.serve.llm:build_openai_app",
        "args": {"llm_configs": [config]},
    }
    path = _write("ray-serve-llm", {"http_options": {"host": "127.0.0.1", "port": RAY_LLM_PORT}, "applications": [app]})
    serve = str(Path(sys.executable).with_name("serve"))
    return Server("ray.serve.llm", (serve, "run", str(path)), _target(RAY_LLM_PORT), model.variables())


def ours_local(model: LocalModel, shipped: str = "serve_config.yaml") -> Server:
    """Our service with the shipped configuration, or with this model in the place of its own ones."""
    document = yaml.safe_load((ROOT / shipped).read_text())
    document["http_options"]["port"] = OURS_PORT
    args = document["applications"][0]["args"]
    if model.name not in [m["name"] for m in args["models"]]:
        first = args["models"][0]
        first |= {"name": model.name, "source": model.folder}
        first["engine_kwargs"] |= {"dtype": model.dtype, "max_model_len": model.context_tokens}
        first["env"] |= {
            "VLLM_CPU_KVCACHE_SPACE": str(model.kv_gib),
            "OMP_NUM_THREADS": str(model.threads),
        }
        args["models"], args["routes"] = [first], {"default": {"models": [model.name]}}
    return _ghostrouter("ours", _write(f"ours-{model.name}", document))


def ours_cloud() -> Server:
    """Our service as a gateway alone."""
    return _ghostrouter("ours (cloud only)", ROOT / "bench" / "peers.yaml")


def litellm() -> Server:
    """LiteLLM's proxy before the upstream."""
    python = python_of("litellm", LITELLM)
    rows = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": _UPSTREAM, "api_key": "none"}}
        for name in ("instant", "paced")
    ]
    config = _write("litellm", {"model_list": rows})
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1"]
    command += ["--port", str(LITELLM_PORT), "--num_workers", str(LITELLM_WORKERS)]
    command += ["--timeout_worker_healthcheck", str(round(START_S))]  # a worker that is slow to import is not killed
    environment = {
        "LITELLM_MASTER_KEY": _KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "PYTHONPATH": "",
    }
    target = _target(LITELLM_PORT, ("authorization", f"Bearer {_KEY}"))
    return Server("litellm", _nice(*command), target, environment)


def portkey() -> Server:
    """Portkey's gateway before the upstream."""
    script = node_package(PORTKEY, PORTKEY_OVERRIDES) / "build" / "start-server.js"
    headers = (("authorization", "Bearer none"), ("x-portkey-provider", "openai"), ("x-portkey-custom-host", _UPSTREAM))
    command = _nice("node", str(script), f"--port={PORTKEY_PORT}", "--headless")
    return Server("portkey", command, _target(PORTKEY_PORT, *headers), {"NODE_ENV": "production"})


def upstream() -> Server:
    """The fake provider, asked without a gateway."""
    command = _nice(sys.executable, "-m", "bench.fixed_upstream", str(UPSTREAM_PORT))
    return Server("direct", command, _target(UPSTREAM_PORT))


@contextmanager
def started(server: Server, first: Mapping[str, Any], finish: str = "stop") -> Iterator[Started]:
    """Start a server, ask it for its first answer until it gives one, and stop all its processes at the end.

    It logs to logs/bench-peers-NAME.log.

    Raises:
        RuntimeError: it ended, or gave no right answer within START_S.
    """
    log = ROOT / "logs" / f"bench-peers-{server.name.split(' ')[0]}.log"
    log.parent.mkdir(exist_ok=True)
    began_s = time.perf_counter()
    environment = {**os.environ, **server.environment}
    with log.open("ab") as out:
        child = subprocess.Popen(  # noqa: S603
            server.command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    tree = ProcessTree(child.pid)
    try:
        _until_it_answers(server, first, finish, child, log)
        yield Started(tree, time.perf_counter() - began_s)
    finally:
        _stop(child, tree)


def _until_it_answers(
    server: Server, first: Mapping[str, Any], finish: str, child: "subprocess.Popen[bytes]", log: Path
) -> None:
    deadline_s = time.perf_counter() + START_S
    while wrong := problem(asyncio.run(once(server.target, first)), None, finish):
        if child.poll() is not None:
            raise RuntimeError(f"{server.name} ended with status {child.returncode}; see {log}")
        if time.perf_counter() > deadline_s:
            raise RuntimeError(f"{server.name} gave no right answer ({wrong}); see {log}")
        time.sleep(0.2)


def _stop(child: "subprocess.Popen[bytes]", tree: ProcessTree) -> None:
    """Stop a server as its user would, and kill what is left of it after STOP_S."""
    tree.pids()
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(STOP_S)
    deadline_s = time.perf_counter() + STOP_S / 3
    while (left := tree.pids()) and time.perf_counter() < deadline_s:
        time.sleep(0.2)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    child.wait()


def _ghostrouter(name: str, config: Path) -> Server:
    command = (str(Path(sys.executable).with_name("ghostrouter")), "serve", str(config))
    return Server(name, command, _target(OURS_PORT))


def _target(port: int, *headers: tuple[str, str]) -> Target:
    return Target(f"http://127.0.0.1:{port}", headers=headers)


def _nice(*command: str) -> tuple[str, ...]:
    """Ray runs its workers at this niceness: the other peers do not take the processor from the client either."""
    return ("nice", "-n", str(NICE), *command)


def _write(name: str, document: Any) -> Path:
    path = ROOT / "logs" / f"bench-peers-{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False))
    return path
