"""`ghostrouter events`: export the event store."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from ghostrouter.cli import exits
from ghostrouter.config import ServeFile
from ghostrouter.errors import ConfigError, StoreFailed


@click.group()
def events() -> None:
    """The event store."""


@events.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="serve_config.yaml")
@click.option("--since", type=click.DateTime(), help="Leave out older events.")
@click.option("--kind", help="Only events of this kind, such as trace or feedback.")
def export(config: Path, since: object, kind: str | None) -> None:
    """Print all traces and feedback of the event store of CONFIG, oldest first, one JSON object per line.

    The service may be running meanwhile.
    """
    from ghostrouter.events.store import Store  # SQLAlchemy takes its time; no other command needs it

    since_s = since.timestamp() if hasattr(since, "timestamp") else 0.0
    try:
        graphs = ServeFile.load(config).graphs
        for graph in graphs:
            store = Store(graph.events.database)
            try:
                for event in store.export(since_s):
                    if kind in (None, event.kind):
                        told = {k: v for k, v in asdict(event).items() if k != "owner"}
                        click.echo(json.dumps(told, ensure_ascii=False))
            finally:
                store.close()
    except ConfigError as error:
        click.echo(f"{config}: {error}", err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    except StoreFailed as error:
        click.echo(str(error), err=True)
        raise SystemExit(exits.NO_SERVICE) from None
