"""`python -m dashboards.source.build` writes every dashboard to dashboards/grafana/."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.source import cost, fleet, routing, slo, telemetry
from dashboards.source.panels import Board

BOARDS = (telemetry.BOARD, routing.BOARD, fleet.BOARD, cost.BOARD, slo.BOARD)
_FOLDER = Path(__file__).parents[1] / "grafana"


def text(board: Board) -> str:
    """A dashboard as Grafana reads it."""
    return json.dumps(board.build(), cls=JSONEncoder, sort_keys=True, indent=2) + "\n"


if __name__ == "__main__":
    for board in BOARDS:
        (_FOLDER / f"{board.uid}.json").write_text(text(board))
