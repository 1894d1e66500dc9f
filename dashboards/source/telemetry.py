"""Ghost Telemetry: what the models believe, where they waver, and when an answer changes hands."""

from dashboards.source.panels import Board, Panel, Row
from dashboards.source.queries import gauge, quantiles, rate, ratio, series
from ghostrouter.events import metrics

BOARD = Board(
    "ghost-telemetry",
    "Ghost Telemetry",
    "Live sessions, entropy, risk and handoffs.",
    [
        Row(
            "Live",
            [
                Panel(
                    "Live sessions",
                    "Sessions that the ingresses are running, and segments that engines are writing for them.",
                    "short",
                    [
                        gauge(metrics.RUNNING_SESSIONS, "sum", legend="sessions"),
                        gauge(metrics.RUNNING, "sum", "model", legend="segments of {{model}}"),
                    ],
                ),
                Panel("Tokens", "Tokens accepted into answers, per second.", "short", [rate(metrics.TOKENS, "model")]),
                Panel(
                    "Time between tokens",
                    "From one token of a segment to the next. It grows when an engine has too much to do.",
                    "s",
                    quantiles(metrics.INTER_TOKEN, "model"),
                ),
            ],
        ),
        Row(
            "What the models believe",
            [
                Panel(
                    "Entropy", "Of the next-token distribution, in nats.", "none", quantiles(metrics.ENTROPY, "model")
                ),
                Panel(
                    "Slope of the entropy",
                    "How fast the entropy of a segment rises or falls, in nats per token.",
                    "none",
                    quantiles(metrics.ENTROPY_SLOPE, "model", "direction", of=(0.9,)),
                ),
                Panel("Risk", "Risk of a segment's last token.", "percentunit", quantiles(metrics.RISK, "model")),
                Panel("Verdicts", "What was decided of segments.", "short", [rate(metrics.VERDICTS, "action")]),
            ],
        ),
        Row(
            "Handoffs",
            [
                Panel(
                    "Handoffs",
                    "Changes of engine in mid-answer, by reason and by how the KV cache was filled.",
                    "short",
                    [rate(metrics.HANDOFFS, "reason", "kv_mode")],
                ),
                Panel(
                    "Stall",
                    "From the last token kept to the first token of the next engine: what a client notices.",
                    "s",
                    quantiles(metrics.STALL, "target", "kv_mode"),
                ),
                Panel("Tokens given up", "Generated, then cut off.", "short", [rate(metrics.ROLLBACK, "model")]),
            ],
        ),
        Row(
            "Hold-back",
            [
                Panel(
                    "Depth",
                    "Most tokens held at once while risk was raised.",
                    "short",
                    quantiles(metrics.HELD_TOKENS, "model", or_zero=True),
                ),
                Panel("Delay", "How long tokens were held.", "s", quantiles(metrics.HOLD_TIME, "model", or_zero=True)),
                Panel(
                    "Tokens that left undecided",
                    "More were doubtful than may be held (`telemetry.frames.hold_tokens`), or a verdict came late.",
                    "short",
                    [
                        rate(metrics.EXPIRED, legend="expired", or_zero=True),
                        rate(metrics.LATE_VERDICTS, legend="late verdicts", or_zero=True),
                    ],
                ),
            ],
        ),
        Row(
            "Is it still calibrated?",
            [
                Panel(
                    "Alarms per token, and as calibrated",
                    "Far from the calibrated rate, the calibration no longer fits the traffic: calibrate again.",
                    "none",
                    [
                        ratio(
                            f"sum(rate({series(metrics.ALARMS)}[$__rate_interval]))",
                            f"sum(rate({series(metrics.JUDGED_TOKENS)}[$__rate_interval]))",
                            "alarms",
                        ),
                        gauge(metrics.CALIBRATED_ALARM_RATE, "max", "model", legend="{{model}} calibrated"),
                        gauge(metrics.ALARM_RATE, "max", "model", legend="{{model}} last window"),
                    ],
                ),
                Panel(
                    "Models outside their band",
                    "1 while a model alarms more or less often than calibrated.",
                    "short",
                    [gauge(metrics.DRIFT, "max", "model", default=0)],
                ),
                Panel(
                    "Draft acceptance",
                    "Accepted over proposed drafts, where an engine decodes speculatively; else 0.",
                    "percentunit",
                    quantiles(metrics.DRAFT_ACCEPTANCE, "model", of=(0.1, 0.5), or_zero=True),
                ),
                Panel(
                    "Batches without an answer",
                    "Reports that telemetry did not take in time. Answers do not wait for it.",
                    "short",
                    [rate(metrics.FLUSH_FAILURES, legend="batches", or_zero=True)],
                ),
            ],
        ),
    ],
)
