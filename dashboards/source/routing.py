"""Routing quality: how long the router takes, whom it chooses, and what was learned since."""

from dashboards.source.panels import Board, Panel, Row
from dashboards.source.queries import Query, gauge, quantiles, rate, ratio, series
from ghostrouter.events import metrics

BOARD = Board(
    "ghost-routing",
    "Routing quality",
    "How long the router takes, who answers, and how often an answer had to change hands.",
    [
        Row(
            "The router's own time",
            [
                Panel("Router", "Arrival to opening the first segment.", "s", quantiles(metrics.ROUTER_TIME)),
                Panel(
                    "By stage",
                    "classify: the task. encode: templates and tokenizers. plan: the choice. reserve: budgets.",
                    "s",
                    quantiles(metrics.ROUTER_STAGE_TIME, "stage"),
                ),
            ],
        ),
        Row(
            "Who answers",
            [
                Panel(
                    "Share of tokens",
                    "By model. A large model that writes most tokens saves nothing.",
                    "percentunit",
                    [
                        Query(
                            f"sum by (model) (rate({series(metrics.TOKENS)}[$__rate_interval])) / ignoring(model) "
                            f"group_left () (sum(rate({series(metrics.TOKENS)}[$__rate_interval])) > 0)",
                            "{{model}}",
                        )
                    ],
                ),
                Panel(
                    "Handoffs per session",
                    "How often the first choice did not finish the answer.",
                    "none",
                    [
                        ratio(
                            f"sum(rate({series(metrics.HANDOFFS)}[$__rate_interval]))",
                            f"sum(rate({series(metrics.SESSIONS)}[$__rate_interval]))",
                            "handoffs",
                        )
                    ],
                ),
                Panel("Sessions", "By how they ended.", "reqps", [rate(metrics.SESSIONS, "outcome")]),
            ],
        ),
        Row(
            "Changes",
            [
                Panel(
                    "Hedges",
                    "Segments that a second model was asked for, by who wrote first.",
                    "reqps",
                    [rate(metrics.HEDGES, "model", "other", "first", or_zero=True)],
                ),
                Panel(
                    "Promoted tasks",
                    "Rows of its tiers (or models of its route) by which a task is promoted.",
                    "short",
                    [gauge(metrics.PROMOTION, "max", "task", default=0)],
                ),
                Panel(
                    "Changes of the configuration",
                    "Reloads, taken or refused. `GET /v1/status` says why one was refused.",
                    "reqps",
                    [rate(metrics.CHANGES, "outcome", or_zero=True)],
                ),
            ],
        ),
    ],
)
