"""`ghostrouter bench`: measurements on files of one's own."""

import click

from ghostrouter.cli.learning import bench_routing
from ghostrouter.cli.signals import signals


@click.group()
def bench() -> None:
    """Measurements on files of your own."""


bench.add_command(signals)
bench.add_command(bench_routing)
