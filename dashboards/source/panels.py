"""Dashboards and panels in one look: two, three or four panels a row, each with one unit."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef

from dashboards.source.queries import Query

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT = 8
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """A time series panel. `unit` is one of Grafana's. `description` says what a reader should conclude."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beside each other, under a title."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `uid` is also the name of its file."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]

    def build(self) -> object:
        """The dashboard in the types of Grafana's SDK."""
        made = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(["ghostrouter"])
            .editable()
            .timezone("browser")
            .refresh("10s")
            .time("now-15m", "now")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .link(dashboard.DashboardLink("GhostRouter").type("dashboards").tags(["ghostrouter"]).keep_time(True))
        )
        for row in self.rows:
            made = made.with_row(dashboard.Row(row.title))
            for panel in row.panels:
                made = made.with_panel(_panel(panel, _WIDTH // min(4, max(2, len(row.panels)))))
        return made.build()


def _panel(panel: Panel, width: int) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(_SOURCE)
        .height(_HEIGHT)
        .span(width)
        .line_width(2)
        .fill_opacity(8)
        .min(0)
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    )
    for i, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(chr(ord("A") + i))
        made = made.with_target(target.datasource(_SOURCE).range())
    return made
