"""The table of all metrics. Ray exports them to Prometheus with the prefix `ray_`."""

from dataclasses import dataclass
from typing import Literal, Protocol

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_NATS = (0.01, 0.03, 0.1, 0.2, 0.5, 0.8, 1.2, 1.8, 2.5, 3.5, 5.0, 8.0)
_TOKENS = (1, 2, 4, 8, 16, 32, 64)
_SLOPES = (0.003, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_RISK = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: name (with its unit), kind, description and labels. Histograms have bucket bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    description: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


class Emit(Protocol):
    """A sink for metrics: it adds to a counter, sets a gauge or records into a histogram."""

    def __call__(self, metric: Metric, value: float, **labels: str) -> None: ...


SESSIONS = Metric("ghost_sessions", "counter", "Sessions by how they ended.", ("outcome",))
RUNNING_SESSIONS = Metric("ghost_running_sessions", "gauge", "Sessions that an ingress is running.")
TOKENS = Metric("ghost_tokens", "counter", "Tokens accepted into answers.", ("model",))
HANDOFFS = Metric(
    "ghost_handoffs", "counter", "Changes of engine in mid-answer.", ("source", "target", "reason", "kv_mode")
)
ROLLBACK = Metric("ghost_rollback_tokens", "counter", "Tokens generated and given up at a seam.", ("model",))
STALL = Metric(
    "ghost_stall_seconds",
    "histogram",
    "Last token kept to first token of the next engine.",
    ("target", "kv_mode"),
    _SECONDS,
)
TTFT = Metric("ghost_ttft_seconds", "histogram", "Opening the first segment to its first token.", ("model",), _SECONDS)
ROUTER_TIME = Metric("ghost_router_seconds", "histogram", "Arrival to opening the first segment.", (), _SECONDS)
ROUTER_STAGE_TIME = Metric(
    "ghost_router_stage_seconds",
    "histogram",
    "Stages of the router: classify, encode (templates, tokenizers), plan, reserve (budgets).",
    ("stage",),
    (0.0001, 0.0003, *_SECONDS),
)
INFERENCE_TIME = Metric("ghost_inference_seconds", "histogram", "Opening the first segment to the end.", (), _SECONDS)
ENTROPY = Metric("ghost_entropy_nats", "histogram", "Entropy of the next-token distribution.", ("model",), _NATS)
ENTROPY_SLOPE = Metric(
    "ghost_entropy_slope_nats",
    "histogram",
    "Size of the entropy's least-squares slope over a segment's newest tokens, in nats per token, by its direction.",
    ("model", "direction"),
    _SLOPES,
)
INTER_TOKEN = Metric(
    "ghost_inter_token_seconds", "histogram", "Time from one token of a segment to the next.", ("model",), _SECONDS
)
DRAFT_ACCEPTANCE = Metric(
    "ghost_draft_acceptance",
    "histogram",
    "Running average of accepted over proposed drafts.",
    ("model",),
    _SHARES,
)
RUNNING = Metric("ghost_running_segments", "gauge", "Segments being written on a replica.", ("model",))
HELD_TOKENS = Metric(
    "ghost_held_tokens", "histogram", "Most tokens held at once, each time tokens were held.", ("model",), _TOKENS
)
HOLD_TIME = Metric(
    "ghost_hold_seconds", "histogram", "How long tokens were held, each time some were.", ("model",), _SECONDS
)
QUEUE = Metric("ghost_engine_queue", "gauge", "Requests that wait in a replica's engine.", ("model",))
KV_USE = Metric("ghost_engine_kv_use", "gauge", "Share of a replica's KV cache that is in use.", ("model",))
PRESSURE = Metric(
    "ghost_engine_pressure", "gauge", "How close a replica is to its limit: 0 has room, 1 is full.", ("model",)
)
CPU_USE = Metric("ghost_cpu_use", "gauge", "Share of the processors of a replica's node in use.", ("model",))
MEMORY_USE = Metric("ghost_memory_use", "gauge", "Share of the memory of a replica's node in use.", ("model",))
GPU_USE = Metric("ghost_gpu_use", "gauge", "Share of time in which a replica's GPU worked.", ("model", "gpu"))
GPU_MEMORY_USE = Metric("ghost_gpu_memory_use", "gauge", "Share of a GPU's memory in use.", ("model", "gpu"))
GPU_POWER = Metric("ghost_gpu_watts", "gauge", "Power that a GPU draws.", ("model", "gpu"))
EXPIRED = Metric(
    "ghost_hold_expired_tokens", "counter", "Tokens that left while risk was raised: too many were held.", ("model",)
)
LATE_VERDICTS = Metric(
    "ghost_late_verdicts", "counter", "Verdicts that gave up tokens which had left already.", ("model",)
)
FLUSH_FAILURES = Metric(
    "ghost_telemetry_failures", "counter", "Calls that telemetry did not answer in time.", ("model",)
)
RISK = Metric(
    "ghost_risk", "histogram", "Risk of a segment's last token, each time a replica reports.", ("model",), _RISK
)
VERDICTS = Metric(
    "ghost_verdicts", "counter", "What was decided of each segment, each time a replica reports.", ("model", "action")
)
EVENTS_WRITTEN = Metric("ghost_events_written", "counter", "Rows written to the event store.")
EVENTS_SPOOLED = Metric("ghost_events_spooled", "counter", "Rows put into a file because the event store was down.")
EVENTS_LOST = Metric("ghost_events_lost", "counter", "Rows given up: neither the store nor the file took them.")
EVENT_WRITE_TIME = Metric("ghost_event_write_seconds", "histogram", "Writing a batch of rows.", (), _SECONDS)
EVENT_STORE_UP = Metric("ghost_event_store_up", "gauge", "1 while the event store can be written, else 0.")
JOBS = Metric("ghost_jobs", "counter", "Jobs of the call API by how they ended.", ("status",))
JUDGED_TOKENS = Metric("ghost_judged_tokens", "counter", "Tokens that could have alarmed.", ("model",))
ALARMS = Metric("ghost_alarms", "counter", "Alarms, true and false.", ("model",))
CALIBRATED_ALARM_RATE = Metric(
    "ghost_calibrated_alarms_per_token", "gauge", "Alarms per token, true and false, when calibrated.", ("model",)
)
ALARM_RATE = Metric("ghost_alarms_per_token", "gauge", "Alarms per token in the last full window.", ("model",))
DRIFT = Metric(
    "ghost_alarm_drift", "gauge", "1 while alarms come more or less often than calibrated; else 0.", ("model",)
)
BREAKER = Metric("ghost_breaker_state", "gauge", "0: closed, 1: one call may try, 2: open.", ("model",))
BREAKER_CHANGES = Metric(
    "ghost_breaker_changes", "counter", "Changes of a breaker, by what it changed to.", ("model", "to")
)
HEDGES = Metric(
    "ghost_hedges",
    "counter",
    "Segments asked of another model as well, by who wrote first.",
    ("model", "other", "first"),
)
COST = Metric("ghost_cost_usd", "counter", "What answers have cost, in US dollars.", ("model",))
BUDGET_LIMIT = Metric("ghost_budget_limit_usd", "gauge", "A budget's limit.", ("scope", "name", "window"))
BUDGET_SPENT = Metric(
    "ghost_budget_spent_usd", "gauge", "Spent in a budget's current window.", ("scope", "name", "window")
)
BUDGET_RESERVED = Metric(
    "ghost_budget_reserved_usd", "gauge", "Reserved for running calls of a budget.", ("scope", "name", "window")
)
CLOUD_CALLS = Metric("ghost_cloud_calls", "counter", "Calls of providers by how they ended.", ("model", "outcome"))
CLOUD_TOKENS = Metric(
    "ghost_cloud_tokens", "counter", "Tokens that providers billed, or that were counted here.", ("model", "kind")
)
JOURNAL_UP = Metric("ghost_journal_up", "gauge", "1 while a shard of the session store answers, else 0.", ("shard",))
JOURNAL_WRITE_TIME = Metric(
    "ghost_journal_write_seconds", "histogram", "Writing a batch to the session store.", ("shard",), _SECONDS
)
JOURNAL_UNWRITTEN = Metric(
    "ghost_journal_unwritten_growths", "counter", "Growths delivered before they were written.", ("shard",)
)
JOURNAL_DROPPED = Metric(
    "ghost_journal_dropped_entries", "counter", "Entries given up while a shard was down.", ("shard",)
)
JOURNAL_BYTES = Metric("ghost_journal_bytes", "gauge", "Bytes of sessions that a shard keeps.", ("shard",))

CHANGES = Metric("ghost_config_changes", "counter", "Changes of the configuration while it serves.", ("outcome",))
PROMOTION = Metric(
    "ghost_promotion_rows",
    "gauge",
    "By how many rows of its tiers, or models of its route, a task is promoted.",
    ("task",),
)
CALLEE_UP = Metric(
    "ghost_callee_up",
    "gauge",
    "0 while a deployment that answers do not depend on is down, as its caller sees it; 1 when it is up again.",
    ("callee",),
)
CALLS_SKIPPED = Metric(
    "ghost_calls_skipped", "counter", "Calls of a deployment that were not made because it is down.", ("callee",)
)
REFUSALS = Metric("ghost_refusals", "counter", "Calls refused at the door or by a budget.", ("reason",))

ALL = tuple(m for m in list(globals().values()) if isinstance(m, Metric))
