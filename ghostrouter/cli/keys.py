"""`ghostrouter keys`: create, list and revoke API keys. A running service notices within `access.refresh_s`."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from pydantic import ValidationError

from ghostrouter.access.keys import RIGHTS
from ghostrouter.cli import exits
from ghostrouter.config import ServeFile
from ghostrouter.config.access import Access, Limits, Rights
from ghostrouter.config.section import NAME
from ghostrouter.errors import ConfigError, StoreFailed

if TYPE_CHECKING:
    from ghostrouter.access.key_store import KeyStore

_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS_S = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def _config(command: _F) -> _F:
    path = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option(
        "--config", type=path, default="serve_config.yaml", show_default=True, help="The service's configuration."
    )(command)


@click.group()
def keys() -> None:
    """API keys of the service. Only their SHA-256 is stored.

    The first key locks the service: from then on every request needs one.
    """


@keys.command()
@click.argument("name")
@_config
@click.option("--scope", "scopes", multiple=True, type=click.Choice(RIGHTS), help="Default: call and feedback.")
@click.option("--model", "models", multiple=True, help="Only these models; may have wildcards.")
@click.option("--task", "tasks", multiple=True, help="Only these tasks; may have wildcards.")
@click.option("--team", default="", help="The team whose budgets it shares.")
@click.option("--project", default="", help="The project whose budgets and overrides it shares.")
@click.option("--organisation", default="", help="The organisation whose budgets and overrides it shares.")
@click.option("--priority", type=click.Choice(("high", "normal", "low")), default="normal", show_default=True)
@click.option("--requests-per-minute", type=int, help="Instead of the limit in `access.limits`.")
@click.option("--concurrent-requests", type=int, help="Instead of the limit in `access.limits`.")
@click.option("--may-unredact", is_flag=True, help="Requests may ask for less redaction than configured.")
@click.option("--expires", help="After how long it is not valid any more, such as 12h or 90d. Default: never.")
def create(
    name: str,
    config: Path,
    expires: str | None,
    requests_per_minute: int | None,
    concurrent_requests: int | None,
    **told: Any,
) -> None:
    """Make the key NAME and print it. It cannot be read again."""
    now_s = time.time()
    if not re.fullmatch(NAME, name):
        raise click.BadParameter("up to 64 letters, digits, and . _ -", param_hint="NAME")
    with _store(config) as (access, store):
        if name in {key.name for key in access.keys}:
            raise ConfigError(f"there is a key of the name {name} in `access.keys`")
        rights = {k: v for k, v in told.items() if v not in ((), "")}
        if requests_per_minute is not None or concurrent_requests is not None:
            limits = {"requests_per_minute": requests_per_minute, "concurrent_requests": concurrent_requests}
            rights["limits"] = access.limits.model_dump() | {k: v for k, v in limits.items() if v is not None}
        try:
            checked = Rights.model_validate(rights).model_dump(mode="json", exclude_unset=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        click.echo(store.create(name, checked, now_s, _expiry(expires, now_s)))
    click.echo("Keep it: it cannot be shown again.", err=True)


@keys.command(name="list")
@_config
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(config: Path, as_json: bool) -> None:
    """List all keys, those of the configuration too. No key is shown, only what it may do."""
    with _store(config) as (access, store):
        now_s = time.time()
        rows = [_line(key.name, key, "configured") for key in access.keys]
        for row in store.rows():
            gone = row.expires_s is not None and row.expires_s <= now_s
            state = "revoked" if row.revoked_s is not None else "expired" if gone else "valid"
            line = _line(row.name, Rights.model_validate(row.rights), state)
            rows.append(line | {"created": _date(row.created_s), "expires": _date(row.expires_s)})
    if as_json:
        click.echo(json.dumps({"keys": rows}, indent=2))
        return
    for line in rows:
        more = "".join(f"  {k} {line[k]}" for k in ("team", "created", "expires") if line.get(k))
        click.echo(f"{line['name']:24} {line['state']:11} {','.join(line['scopes']):20}{more}")


@keys.command()
@click.argument("name")
@_config
def revoke(name: str, config: Path) -> None:
    """Make the key NAME invalid for ever. Its name cannot be used again."""
    with _store(config) as (access, store):
        if name in {key.name for key in access.keys}:
            raise ConfigError(f"the key {name} is in `access.keys`; take it out there and start the service again")
        if not store.revoke(name, time.time()):
            raise ConfigError(f"there is no valid key of the name {name}")
    click.echo(f"{name} is revoked.")


@contextmanager
def _store(config: Path) -> Iterator[tuple[Access, "KeyStore"]]:
    """The section `access` of a configuration, and the store that it names."""
    from ghostrouter.access.key_store import KeyStore  # SQLAlchemy takes its time

    try:
        access = ServeFile.load(config).graphs[0].access
        store = KeyStore(access.database)
        try:
            yield access, store
        finally:
            store.close()
    except IndexError:
        click.echo(f"{config}: there is no application with the import_path graph:build", err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    except StoreFailed as error:
        click.echo(str(error), err=True)
        raise SystemExit(exits.NO_SERVICE) from None


def _line(name: str, rights: Rights, state: str) -> dict[str, Any]:
    limits = (rights.limits or Limits()).model_dump(exclude_none=True)
    told = rights.model_dump(mode="json", include={"scopes", "models", "tasks", "team", "priority"})
    return {"name": name, "state": state, **told, "limits": limits}


def _expiry(text: str | None, now_s: float) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,5}[mhd]", text):
        raise ConfigError("--expires: a number and m, h or d, such as 90d")
    return now_s + int(text[:-1]) * _UNITS_S[text[-1]]


def _date(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
