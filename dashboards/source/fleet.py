"""Fleet: replicas, their load, GPUs, providers and their breakers, and the stores."""

from dashboards.source.panels import Board, Panel, Row
from dashboards.source.queries import Query, gauge, quantiles, rate
from ghostrouter.events import metrics

BOARD = Board(
    "ghost-fleet",
    "Fleet",
    "Replicas, GPUs, KV caches, breakers and stores.",
    [
        Row(
            "Replicas",
            [
                Panel(
                    "Pressure",
                    "How close a replica is to its limits. From 0 on, the router finds its model dearer.",
                    "percentunit",
                    [gauge(metrics.PRESSURE, "max", "model", "replica")],
                ),
                Panel(
                    "KV cache",
                    "Share in use. A full cache means preempted answers.",
                    "percentunit",
                    [gauge(metrics.KV_USE, "max", "model", "replica")],
                ),
                Panel(
                    "Queue",
                    "Requests that wait in an engine, and requests that vLLM is running.",
                    "short",
                    [
                        gauge(metrics.QUEUE, "sum", "model", legend="{{model}} waiting"),
                        Query("sum by (model_name) (ray_vllm_num_requests_running)", "{{model_name}} running"),
                    ],
                ),
                Panel(
                    "Replicas",
                    "Of local models, that report.",
                    "short",
                    [gauge(metrics.PRESSURE, "count", "model")],
                ),
            ],
        ),
        Row(
            "Hardware",
            [
                Panel(
                    "Processors and GPUs",
                    "Share of time in which they worked.",
                    "percentunit",
                    [
                        gauge(metrics.CPU_USE, "max", legend="processors"),
                        gauge(metrics.GPU_USE, "max", "gpu", legend="GPU {{gpu}}"),
                    ],
                ),
                Panel(
                    "Memory",
                    "Share in use, of nodes and of GPUs.",
                    "percentunit",
                    [
                        gauge(metrics.MEMORY_USE, "max", legend="node"),
                        gauge(metrics.GPU_MEMORY_USE, "max", "gpu", legend="GPU {{gpu}}"),
                    ],
                ),
                Panel(
                    "Power of the GPUs",
                    "0 without any.",
                    "watt",
                    [gauge(metrics.GPU_POWER, "sum", legend="GPUs", default=0)],
                ),
            ],
        ),
        Row(
            "Providers",
            [
                Panel(
                    "Breakers",
                    "0: closed. 1: one call may try. 2: open, the provider is left alone.",
                    "short",
                    [gauge(metrics.BREAKER, "max", "model", default=0)],
                ),
                Panel(
                    "Changes of breakers",
                    "By what they changed to.",
                    "short",
                    [rate(metrics.BREAKER_CHANGES, "model", "to", or_zero=True)],
                ),
                Panel(
                    "Calls",
                    "Of providers, by how they ended.",
                    "reqps",
                    [rate(metrics.CLOUD_CALLS, "model", "outcome", or_zero=True)],
                ),
                Panel(
                    "Refusals",
                    "Calls refused at the door or by a budget.",
                    "reqps",
                    [rate(metrics.REFUSALS, "reason", or_zero=True)],
                ),
            ],
        ),
        Row(
            "Deployments that no answer depends on",
            [
                Panel(
                    "Up",
                    "0 while a deployment is down, as its callers see it.",
                    "short",
                    [gauge(metrics.CALLEE_UP, "min", "callee", default=1)],
                ),
                Panel(
                    "Calls skipped",
                    "Because their callee is down.",
                    "reqps",
                    [rate(metrics.CALLS_SKIPPED, "callee", or_zero=True)],
                ),
                Panel(
                    "Jobs", "Of the call API, by how they ended.", "reqps", [rate(metrics.JOBS, "status", or_zero=True)]
                ),
            ],
        ),
        Row(
            "Event store",
            [
                Panel(
                    "Up", "0 while it cannot be written.", "short", [gauge(metrics.EVENT_STORE_UP, "min", legend="up")]
                ),
                Panel(
                    "Rows",
                    "Written; spooled into a file because the database was down; lost.",
                    "short",
                    [
                        rate(metrics.EVENTS_WRITTEN, legend="written"),
                        rate(metrics.EVENTS_SPOOLED, legend="spooled", or_zero=True),
                        rate(metrics.EVENTS_LOST, legend="lost", or_zero=True),
                    ],
                ),
                Panel("Writing a batch", "Of rows.", "s", quantiles(metrics.EVENT_WRITE_TIME)),
            ],
        ),
        Row(
            "Session store",
            [
                Panel(
                    "Shards up",
                    "0 while one does not answer.",
                    "short",
                    [gauge(metrics.JOURNAL_UP, "min", "shard", default=1)],
                ),
                Panel("Writing a batch", "Of entries.", "s", quantiles(metrics.JOURNAL_WRITE_TIME)),
                Panel(
                    "Not kept",
                    "Growths delivered before they were written, and entries given up while a shard was down.",
                    "short",
                    [
                        rate(metrics.JOURNAL_UNWRITTEN, legend="unwritten", or_zero=True),
                        rate(metrics.JOURNAL_DROPPED, legend="dropped", or_zero=True),
                    ],
                ),
                Panel("Kept", "Bytes of sessions.", "bytes", [gauge(metrics.JOURNAL_BYTES, "sum", "shard", default=0)]),
            ],
        ),
    ],
)
