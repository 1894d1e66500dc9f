"""`ghostrouter reload`: change the configuration of a running service without a restart."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import httpx
from pydantic import BaseModel

from ghostrouter.cli import client
from ghostrouter.cli.serve import authorization
from ghostrouter.config import GraphConfig, ServeFile
from ghostrouter.errors import ConfigError
from ghostrouter.routing import live

DASHBOARD = "http://127.0.0.1:8265"
_APPLICATIONS = "/api/serve/applications/"
_POLL_S = 0.1


@click.command()
@click.argument("config", default="serve_config.yaml")
@click.argument("overrides", nargs=-1)
@click.option(
    "--dashboard", envvar="RAY_DASHBOARD", default=DASHBOARD, show_default=True, help="URL of Ray's dashboard."
)
@client.address
@click.option(
    "--timeout", "timeout_s", default=30.0, show_default=True, help="Seconds to wait until the change is in force."
)
def reload(
    config: str, overrides: tuple[str, ...], dashboard: str, url: str, api_key: str | None, timeout_s: float
) -> None:
    """Change routes, rules, thresholds, tiers, presets, overrides and budgets of a running service to those of CONFIG.

    OVERRIDES such as router.l2.threshold=0.85 come on top. No request is lost and no process restarts. A wrong
    configuration changes nothing.
    """
    if "=" in config:
        config, overrides = "serve_config.yaml", (config, *overrides)
    try:
        wanted = ServeFile.load(Path(config), overrides)
        with httpx.Client(base_url=dashboard, headers=authorization(), timeout=30) as ray:
            known = running(ray)
            sections = differences(_args(known, None), _args(wanted.document["applications"], "graph:build"))
            base = GraphConfig.parse(_args(known, None))
            target = live.version(live.changed(base, sections))
            began_s = time.monotonic()
            put(ray, sections)
        _wait(url, api_key, target, timeout_s)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except httpx.HTTPError as error:
        raise click.ClickException(f"no answer from Ray's dashboard at {dashboard}: {error}") from error
    changed = ", ".join(sections) or "as it was started"
    click.echo(f"in force after {time.monotonic() - began_s:.1f} s: {changed}")


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The `user_config` that changes a service from the arguments `before` to `after`.

    Raises:
        ConfigError: they differ in what cannot change while it runs.
    """
    changed = {k for k in {*live.SECTIONS, *before, *after} if _plain(before.get(k)) != _plain(after.get(k))}
    fixed = sorted(changed - set(live.SECTIONS))
    if fixed:
        raise ConfigError(f"{', '.join(fixed)}: this cannot change while the service runs; start it again")
    return {k: _plain(after.get(k, _default(k))) for k in live.SECTIONS if k in changed}


def running(ray: httpx.Client) -> list[dict[str, Any]]:
    """The running applications as they were deployed, GhostRouter first.

    Raises:
        ConfigError: ours does not run there.
    """
    status = ray.get(_APPLICATIONS).raise_for_status().json()
    found = [a["deployed_app_config"] for a in status["applications"].values() if a.get("deployed_app_config")]
    found.sort(key=lambda a: a["import_path"] != "graph:build")
    if not found or found[0]["import_path"] != "graph:build":
        raise ConfigError("no GhostRouter service runs there")
    return found


def put(ray: httpx.Client, user_config: Mapping[str, Any]) -> None:
    """Deploy a `user_config`. All other settings of the service stay.

    Raises:
        ConfigError: Ray Serve rejects it.
    """
    status = ray.get(_APPLICATIONS).raise_for_status().json()
    ours, *others = running(ray)
    runs = status["applications"][ours["name"]]["deployments"]
    kept = [d for d in ours.get("deployments") or () if d["name"] not in live.DEPLOYMENTS]
    told = ({"name": n, "user_config": dict(user_config)} for n in live.DEPLOYMENTS if n in runs)
    ours["deployments"] = [*kept, *told]
    options = {k: status[k] for k in ("http_options", "proxy_location") if status.get(k)}
    answer = ray.put(_APPLICATIONS, json={**options, "applications": [ours, *others]})
    if answer.is_error:
        raise ConfigError(f"Ray Serve rejected the change: {answer.text}")


def _args(applications: list[dict[str, Any]], import_path: str | None) -> dict[str, Any]:
    ours = (a for a in applications if import_path is None or a.get("import_path") == import_path)
    args: dict[str, Any] = next(ours).get("args") or {}
    return args


def _default(section: str) -> Any:
    return GraphConfig.model_fields[section].get_default(call_default_factory=True)


def _plain(value: Any) -> Any:
    """The value as JSON would store it."""
    return json.loads(json.dumps(value, default=_dumped))


def _dumped(value: Any) -> Any:
    """Serialise a section (a pydantic model) or a worth (a dataclass)."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else asdict(value)


def _wait(url: str, api_key: str | None, version: str, timeout_s: float) -> None:
    """Wait until the service reports that this configuration is in force.

    Raises:
        ConfigError: it has refused it, or says nothing.
    """
    deadline_s, why = time.monotonic() + timeout_s, ""
    with httpx.Client(base_url=url, headers=client.headers(api_key), timeout=10) as service:
        while time.monotonic() < deadline_s:
            try:
                live_part = service.get("/v1/status").raise_for_status().json()["configuration"]
            except (httpx.HTTPError, ValueError, KeyError) as error:
                live_part = {"refused": None, "version": f"unknown ({type(error).__name__})"}
            if live_part["version"] == version:
                return
            why = live_part["refused"] or f"it has the configuration {live_part['version']}, not {version}"
            time.sleep(_POLL_S)
    raise ConfigError(f"the service at {url} has not taken it: {why}")
