"""`ghostrouter events`: export the event store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ghostrouter.cli import exits
from ghostrouter.cli.stored import stored
from ghostrouter.cli.wandb_command import wandb


@click.group()
def events() -> None:
    """The event store."""


events.add_command(wandb)


@events.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="serve_config.yaml")
@click.option("--since", type=click.DateTime(), help="Leave out older events.")
@click.option("--kind", help="Only events of this kind: trace, request, signals or feedback.")
@click.option("--parquet", type=click.Path(dir_okay=False, path_type=Path), help="Write a Parquet file instead.")
def export(config: Path, since: Any, kind: str | None, parquet: Path | None) -> None:
    """Print the events of the event store of CONFIG, oldest first, one JSON object per line, without their owners.

    In a Parquet file the body is a column of JSON. The service may be running meanwhile.
    """
    rows = _rows(config, since.timestamp() if since else 0.0, kind)
    if parquet:
        count = _write_parquet(parquet, rows)
        click.echo(f"{parquet}: {count} events", err=True)
        return
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


def _rows(config: Path, since_s: float, kind: str | None) -> Iterator[dict[str, Any]]:
    for event in stored(config, since_s):
        if kind in (None, event.kind):
            row = {"id": event.exported_id, "session": event.session, "kind": event.kind}
            yield row | {"at_s": event.at_s, "body": event.body}


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]], block: int = 5_000) -> int:
    """Write rows as Parquet, block by block. Returns their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = pa.string(), pa.float64()
    columns = {"id": text, "session": text, "kind": text, "at_s": number, "body": text}
    schema, count, waiting = pa.schema(list(columns.items())), 0, []
    try:
        with pq.ParquetWriter(path, schema) as writer:
            for row in rows:
                waiting.append({**row, "body": json.dumps(row["body"], ensure_ascii=False)})
                count += 1
                if len(waiting) == block:
                    writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
                    waiting.clear()
            writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
    except OSError as error:
        click.echo(f"{path}: {error.strerror or error}", err=True)
        raise SystemExit(exits.WRONG_INPUT) from None
    return count
