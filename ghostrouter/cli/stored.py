"""The events of a configuration's store, for the commands that read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ghostrouter.cli import exits
from ghostrouter.config import ServeFile
from ghostrouter.errors import ConfigError, StoreFailed

if TYPE_CHECKING:
    from ghostrouter.events.records import Event


def stored(config: Path, since_s: float = 0.0) -> "Iterator[Event]":
    """All events of the stores of a configuration from `since_s` on, oldest first. Errors end the command."""
    from ghostrouter.events.store import Store  # SQLAlchemy takes its time; few commands need it

    try:
        for graph in ServeFile.load(config).graphs:
            store = Store(graph.events.database)
            try:
                yield from store.export(since_s)
            finally:
                store.close()
    except ConfigError as error:
        click.echo(f"{config}: {error}", err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    except StoreFailed as error:
        click.echo(str(error), err=True)
        raise SystemExit(exits.NO_SERVICE) from None
