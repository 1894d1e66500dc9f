import json
import re

import pytest

from ghostrouter.events import metrics
from tests.shipped import ROOT

DASHBOARD = json.loads((ROOT / "dashboards" / "grafana" / "ghostrouter.json").read_text())
PANELS = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
BY_NAME = {f"ray_{m.name}": m for m in metrics.ALL}


def test_every_metric_has_a_panel() -> None:
    named = {n for p in PANELS for t in p["targets"] for n in re.findall(r"\bray_\w+", t["expr"])}
    assert {re.sub("_bucket$", "", n) for n in named} == set(BY_NAME)


@pytest.mark.parametrize("panel", PANELS, ids=lambda p: p["title"])
def test_expressions_fit_their_metric(panel: dict[str, list[dict[str, str]]]) -> None:
    for target in panel["targets"]:
        name = re.findall(r"\bray_\w+", target["expr"])[0]
        metric = BY_NAME[name.removesuffix("_bucket")]
        assert name.endswith("_bucket") is (metric.kind == "histogram")
        assert ("rate(" in target["expr"]) is (metric.kind != "gauge")
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
        assert {g.strip() for label in grouped for g in label.split(",")} - {"le"} <= set(metric.labels)


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for p in DASHBOARD["panels"]
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"] if p["type"] != "row" else 24)
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
