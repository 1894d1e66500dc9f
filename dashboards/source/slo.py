"""SLO: what was promised, from the recording rules (dashboards/prometheus/recording.yaml)."""

from dashboards.source.panels import Board, Panel, Row
from dashboards.source.queries import quantiles, recorded
from ghostrouter.events import metrics

BOARD = Board(
    "ghost-slo",
    "SLO",
    "Answers that succeed, and how long clients wait. Objectives: 99.5% of answers, first token within 2 s (p95).",
    [
        Row(
            "Answers",
            [
                Panel(
                    "Answers that succeeded",
                    "Without those that a client gave up. Objective: 99.5%.",
                    "percentunit",
                    [
                        recorded("ghost:sessions_good:ratio_5m", "5 minutes"),
                        recorded("ghost:sessions_good:ratio_1h", "1 hour"),
                    ],
                ),
                Panel(
                    "Burn rate of the error budget",
                    "1 uses up exactly the error budget of 30 days. Pages are sent at 14.4.",
                    "none",
                    [
                        recorded("ghost:error_budget:burn_5m", "5 minutes"),
                        recorded("ghost:error_budget:burn_1h", "1 hour"),
                    ],
                ),
            ],
        ),
        Row(
            "Waiting",
            [
                Panel(
                    "First token",
                    "p95 over 5 minutes. Objective: 2 s.",
                    "s",
                    [recorded("ghost:ttft_seconds:p95_5m", "{{model}}")],
                ),
                Panel(
                    "Stall", "At a change of model, p95.", "s", [recorded("ghost:stall_seconds:p95_5m", "{{target}}")]
                ),
                Panel("Whole answers", "From the first segment to the end.", "s", quantiles(metrics.INFERENCE_TIME)),
            ],
        ),
    ],
)
