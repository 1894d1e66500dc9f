"""The dashboards as they are committed: made from their source, complete, and laid out without overlaps."""

import json
import re
from typing import Any

import pytest

from dashboards.source.build import BOARDS, text
from dashboards.source.panels import Board
from ghostrouter.events import metrics
from tests.shipped import ROOT

FOLDER = ROOT / "dashboards" / "grafana"
COMMITTED = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.json"))}
RECORDING = (ROOT / "dashboards" / "prometheus" / "recording.yaml").read_text()


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in dashboard["panels"] if p["type"] != "row"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda b: b.uid)
def test_what_is_committed_is_what_the_source_makes(board: Board) -> None:
    assert COMMITTED[board.uid] == text(board), "run `make dashboards`"


def test_there_are_no_others() -> None:
    assert set(COMMITTED) == {board.uid for board in BOARDS}


def test_every_metric_has_a_panel() -> None:
    expressions = [t["expr"] for d in COMMITTED.values() for p in panels(json.loads(d)) for t in p["targets"]]
    named = {n for e in [*expressions, RECORDING] for n in re.findall(r"\bray_ghost_\w+", e)}
    assert {re.sub("_(bucket|total)$", "", n) for n in named} == {f"ray_{m.name}" for m in metrics.ALL}


@pytest.mark.parametrize("name", COMMITTED)
def test_panels_do_not_overlap(name: str) -> None:
    cells = [
        (x, y)
        for p in json.loads(COMMITTED[name])["panels"]
        for x in range(p["gridPos"].get("x", 0), p["gridPos"].get("x", 0) + p["gridPos"]["w"])
        for y in range(p["gridPos"].get("y", 0), p["gridPos"].get("y", 0) + p["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
