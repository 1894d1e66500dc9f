"""`ghostrouter serve`: run Ray and Serve with their log in a file, and show the progress of the start."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import yaml
from rich.console import Console

from ghostrouter.config import ServeFile, log_dir
from ghostrouter.errors import ConfigError

# Serve's gRPC transport and single event loop: twice the tokens per second of the defaults on two cores.
ENVIRONMENT = {
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "deployments.http.proxy:middlewares",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
_QUESTION = "Who was Xenia Farrow? Give teacher, home, work, birth, trade."
_POLL_S = 1.0
_STOP_S = 30.0


class ServeFailed(ConfigError):
    """The service did not start."""


def run(config: Path, overrides: Sequence[str] = (), dashboard: bool = False) -> int:
    """Start the service and wait until it ends; returns the exit status.

    Without the dashboard, Ray takes half a gigabyte less and starts sooner (`deployments/node/`).
    """
    console = Console(highlight=False)
    try:
        options = _check(config, overrides)
    except ConfigError as error:
        console.print(f"[red]{config}:[/red] {error}", soft_wrap=True)
        return 2
    # Also where the shell has had SIGINT ignored, as it does for background jobs; the child inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    log = log_dir() / "serve.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    merged = log.with_name("serve_as_started.yaml")  # with what the command line and the environment have changed
    merged.write_text(yaml.safe_dump(options.document, sort_keys=False, allow_unicode=True))
    console.print(f"Starting GhostRouter. Logs: {log} and /tmp/ray/session_latest/logs", soft_wrap=True)
    with log.open("wb") as out:
        child = subprocess.Popen(  # noqa: S603
            [*_command(dashboard), str(merged)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, **os.environ},
            start_new_session=True,
        )
    try:
        _follow(console, child, log, options)
        return child.wait()
    except ServeFailed as error:
        console.print(f"[red]The start failed:[/red] {error}\nMore in {log}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(console, child)


def _command(dashboard: bool) -> list[str]:
    if dashboard:
        return [str(Path(sys.executable).with_name("serve")), "run"]
    return [sys.executable, "-m", "deployments.node"]


def _check(config: Path, overrides: Sequence[str]) -> ServeFile:
    """Check the configuration file, with the overrides applied.

    Raises:
        ConfigError: the file is no YAML, an argument is wrong or the port is taken.
    """
    options = ServeFile.load(config, overrides)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise ConfigError(f"http_options: port {options.port} is not free ({error.strerror})") from error
    return options


def _follow(console: Console, child: "subprocess.Popen[bytes]", log: Path, options: ServeFile) -> None:
    """Show each deployment when it is ready, then the address of the service."""
    began_s = time.monotonic()
    host = "127.0.0.1" if options.host == "0.0.0.0" else options.host  # noqa: S104
    url = f"http://{host}:{options.port}"
    ready: set[str] = set()
    ray = ""
    with console.status("Ray is starting ...") as status, httpx.Client(timeout=5) as client:
        while True:
            if child.poll() is not None:
                raise ServeFailed(f"Ray Serve ended with status {child.returncode}")
            ray = ray or _ray_api(log)
            deployments = _deployments(client, ray)
            for name, state in deployments.items():
                if state == "HEALTHY" and name not in ready:
                    ready.add(name)
                    console.print(f"  {name:<28} ready after {time.monotonic() - began_s:4.0f} s")
            waiting = [name for name in deployments if name not in ready]
            if deployments and not waiting and _healthy(client, url):
                break
            status.update(f"starting {', '.join(waiting)}" if waiting else "Ray Serve is building the graph ...")
            time.sleep(_POLL_S)
    console.print(f"Ready after {time.monotonic() - began_s:.0f} s. Ctrl-C stops it.\n")
    console.print(f"  service        {url}/v1")
    console.print(f"  Ray API        {ray}  (`ray get-auth-token` prints its token)\n")
    body = f'{{"model": "ghost/auto", "stream": true, "messages": [{{"role": "user", "content": "{_QUESTION}"}}]}}'
    print(f"curl -N {url}/v1/chat/completions -H 'content-type: application/json' -d '{body}'", flush=True)  # noqa: T201


def _healthy(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/healthz").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _ray_api(log: Path) -> str:
    """The address of the dashboard or of `deployments/node/ray_api.py`, from the log; empty if it is not there yet."""
    pattern = r"(?:View the dashboard|Ray API) at \S*?(https?://[\w.:-]+)"
    found = re.search(pattern, log.read_text(errors="replace"))
    return found[1] if found else ""


def _deployments(client: httpx.Client, ray: str) -> dict[str, str]:
    """Deployment -> status; empty while there are none.

    Raises:
        ServeFailed: Serve could not deploy the application.
    """
    if not ray:
        return {}
    try:
        answer = client.get(f"{ray}/api/serve/applications/", headers=authorization())
        applications = answer.raise_for_status().json()["applications"]
    except (httpx.HTTPError, ValueError, KeyError):
        return {}
    states: dict[str, str] = {}
    for application in applications.values():
        if application["status"] == "DEPLOY_FAILED":
            raise ServeFailed(application["message"])
        states |= {name: d["status"] for name, d in application["deployments"].items()}
    return states


def authorization() -> dict[str, str]:
    """The authorization header with Ray's token, which is read from where Ray reads it."""
    token = os.environ.get("RAY_AUTH_TOKEN", "")
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if not token and path.is_file():
        token = path.read_text().strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _stop(console: Console, child: "subprocess.Popen[bytes]") -> None:
    """Stop `serve run` and all its processes: first by a signal, after a time-out or another Ctrl-C by force."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing may end this, or Ray would stay
    signal.signal(signal.SIGINT, lambda *_: _kill(child))
    if child.poll() is None:
        console.print("\nStopping ...")
        child.send_signal(signal.SIGINT)
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.terminate()
    deadline = time.monotonic() + _STOP_S
    while _group_runs(child) and time.monotonic() < deadline:  # Ray's dashboard takes a moment longer
        time.sleep(0.1)
    _kill(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    if _group_runs(child):
        os.killpg(child.pid, signal.SIGKILL)


def _group_runs(child: "subprocess.Popen[bytes]") -> bool:
    child.poll()
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True
