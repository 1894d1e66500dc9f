"""Cost and budgets: what answers cost, and how much of each budget is left."""

from dashboards.source.panels import Board, Panel, Row
from dashboards.source.queries import Query, gauge, rate, ratio, series
from ghostrouter.events import metrics

_BUDGET = ("scope", "name", "window")

BOARD = Board(
    "ghost-cost",
    "Cost and budgets",
    "What answers cost, and how much of each budget is left.",
    [
        Row(
            "Cost",
            [
                Panel(
                    "Cost per hour",
                    "At the rate of now, by model.",
                    "currencyUSD",
                    [
                        Query(
                            f"3600 * sum by (model) (rate({series(metrics.COST)}[$__rate_interval])) or on() vector(0)",
                            "{{model}}",
                        )
                    ],
                ),
                Panel(
                    "Cost per session",
                    "The average.",
                    "currencyUSD",
                    [
                        ratio(
                            f"sum(rate({series(metrics.COST)}[$__rate_interval]))",
                            f"sum(rate({series(metrics.SESSIONS)}[$__rate_interval]))",
                            "per session",
                        )
                    ],
                ),
                Panel(
                    "Tokens of providers",
                    "As they bill them.",
                    "short",
                    [rate(metrics.CLOUD_TOKENS, "model", "kind", or_zero=True)],
                ),
            ],
        ),
        Row(
            "Budgets",
            [
                Panel(
                    "Used",
                    "Spent and reserved, as a share of the limit. At 1, calls are refused.",
                    "percentunit",
                    [
                        Query(
                            f"(max by (scope, name, window) ({series(metrics.BUDGET_SPENT)}) + "
                            f"max by (scope, name, window) ({series(metrics.BUDGET_RESERVED)})) / "
                            f"(max by (scope, name, window) ({series(metrics.BUDGET_LIMIT)}) > 0) or on() vector(0)",
                            "{{scope}} {{name}} per {{window}}",
                        )
                    ],
                ),
                Panel(
                    "Left",
                    "The limit, minus what is spent.",
                    "currencyUSD",
                    [
                        Query(
                            f"max by (scope, name, window) ({series(metrics.BUDGET_LIMIT)}) - "
                            f"max by (scope, name, window) ({series(metrics.BUDGET_SPENT)}) or on() vector(0)",
                            "{{scope}} {{name}} per {{window}}",
                        )
                    ],
                ),
                Panel(
                    "Reserved",
                    "The highest cost of the calls that are running.",
                    "currencyUSD",
                    [gauge(metrics.BUDGET_RESERVED, "max", *_BUDGET, default=0)],
                ),
            ],
        ),
    ],
)
