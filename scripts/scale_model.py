"""What a fleet needs, from the unit costs that the benches have measured: the table of docs/scale.md.

    python -m scripts.scale_model            # prints the table
    python -m scripts.scale_model --write    # writes it into docs/scale.md

Nothing here is measured. Unit costs are read from bench/results (`scale`, `journal`, `overhead`, `sizes`); what is
assumed of the load stands in `Load`. Costs per token are those of one process with 256 streams. Defaults are those of
the configuration.
"""

import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ghostrouter.config import Journal, Telemetry

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "scale.md"
_MARKS = ("<!-- scale_model -->", "<!-- end -->")
_STREAMS = 256
_GB = 1e9
# Of Ray's scalability envelope (release/benchmarks/README.md of ray-project/ray): tested, "1k+". A vLLM has one.
_PLACEMENT_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a fleet. Lengths of answers and texts are assumed; `share` is how much of a core is planned for."""

    replicas: int = 1_000
    sessions: int = 100_000
    tokens_per_s: float = 5e6
    tokens_per_answer: int = 500
    bytes_per_text_token: float = 4.0
    share: float = 0.6
    gbit_per_host: float = 25.0
    ingresses_per_host: int = 16


class Costs(NamedTuple):
    """Measured unit costs. `_us` are microseconds of a core, rates are per core."""

    replica_us_per_token: float
    ingress_us_per_token: float
    ms_per_call: float
    signals_per_s: float
    growths_per_s: float
    traces_per_s: float
    frame_bytes_per_token: float
    signal_bytes_per_token: float
    event_bytes: float
    journal_bytes_per_token: float
    stored_bytes_per_answer: float

    @classmethod
    def read(cls, folder: Path) -> "Costs":
        """From the files of results.

        Raises:
            FileNotFoundError: a bench has not run.
        """
        scale, journal, overhead, sizes = (
            json.loads((folder / f"{name}.json").read_text()) for name in ("scale", "journal", "overhead", "sizes")
        )
        row = next(row for row in scale["rows"] if row["streams"] == _STREAMS)
        return cls(
            replica_us_per_token=row["replica_cpu_us_per_token"],
            ingress_us_per_token=row["cpu_us_per_token"] - row["replica_cpu_us_per_token"],
            ms_per_call=overhead["cpu_ms_per_call"],
            signals_per_s=scale["signals_per_s_per_core"],
            growths_per_s=journal["growths_per_s_per_core"],
            traces_per_s=sizes["traces_per_s_per_core"],
            frame_bytes_per_token=sizes["frame_bytes_per_token_20"],
            signal_bytes_per_token=sizes["signal_bytes_per_token"],
            event_bytes=sizes["event_bytes"],
            journal_bytes_per_token=sizes["journal_bytes_per_session"] / sizes["tokens_per_session"],
            stored_bytes_per_answer=sizes["stored_bytes_per_session"],
        )


class Row(NamedTuple):
    """A line of the table. `share` is the demand over what one process, host or default setting gives; None: no limit
    of ours."""

    what: str
    need: str
    share: float | None
    limit: str


def rows(load: Load, costs: Costs) -> Iterator[Row]:
    """The lines, from the engines to the stores."""
    telemetry, journal = Telemetry(), Journal()
    per_replica = load.tokens_per_s / load.replicas
    sessions_each = load.sessions / load.replicas
    answers_per_s = load.tokens_per_s / load.tokens_per_answer
    frames_each = min(per_replica, max(telemetry.frames.frames_per_s, sessions_each / telemetry.frames.most_gap_s))
    frames = frames_each * load.replicas
    yield Row("load of a replica", f"{per_replica:,.0f} tokens/s, {sessions_each:,.0f} sessions", None, "")
    yield Row("frames", f"{frames:,.0f} a second, of {load.tokens_per_s / frames:.0f} tokens", None, "")

    groups = load.replicas / _PLACEMENT_GROUPS
    yield Row("Ray's placement groups", f"{load.replicas:,}", groups, f"{_PLACEMENT_GROUPS:,}, as far as Ray tests")
    cores = per_replica * costs.replica_us_per_token / 1e6
    yield Row("signals, verdicts, frames in a replica", f"{cores:.2f} cores", cores, "one process of Python")
    cores = load.tokens_per_s * costs.ingress_us_per_token / 1e6 + answers_per_s * costs.ms_per_call / 1e3
    ingresses = math.ceil(cores / load.share)
    yield Row("ingresses", f"{cores:,.0f} cores: {ingresses:,} replicas", None, "none: any number, on any node")
    yield Row(
        "connections between replicas and ingresses",
        f"{load.replicas * ingresses:,} if everyone meets, {ingresses:,} at a replica",
        ingresses / 1024,
        "1,024 open files, the usual soft limit",
    )
    cores = load.tokens_per_s / costs.signals_per_s
    shards = math.ceil(cores / load.share)
    yield Row("telemetry", f"{cores:.1f} cores: {shards} shards", shards / 64, "64 shards")
    reports = load.replicas / telemetry.flush_interval_s
    yield Row("reports to each shard", f"{reports:,.0f} a second", None, "")
    cores = frames / costs.growths_per_s
    yield Row("session store, both sides", f"{cores:.1f} cores: {math.ceil(cores / load.share)} shards", None, "")
    kept = load.tokens_per_s * costs.journal_bytes_per_token * journal.keep_s
    yield Row(
        f"kept sessions ({journal.keep_s:,.0f} s)",
        f"{kept / _GB:,.0f} GB",
        kept / journal.max_bytes,
        f"journal.max_bytes ({journal.max_bytes / _GB:.0f} GB)",
    )
    written = answers_per_s / costs.traces_per_s
    yield Row("traces", f"{answers_per_s:,.0f} a second: {written:.1f} cores", written, "one process, one database")
    day = answers_per_s * costs.stored_bytes_per_answer * 86_400
    yield Row("event store", f"{day / _GB:,.0f} GB a day", None, "")
    quotas = answers_per_s * 2
    yield Row("limits and budgets", f"{quotas:,.0f} calls a second", None, "one process; not measured at this rate")

    inside = 8 * load.tokens_per_s * (costs.frame_bytes_per_token + costs.signal_bytes_per_token) / 1e9
    yield Row("network between nodes", f"{inside:,.1f} Gbit/s", None, "")
    outside = 8 * (frames * costs.event_bytes + load.tokens_per_s * load.bytes_per_text_token) / 1e9
    hosts = math.ceil(ingresses / load.ingresses_per_host)
    yield Row(
        "network of an ingress host",
        f"{(inside + outside) / hosts:.2f} Gbit/s on each of {hosts}",
        (inside + outside) / hosts / load.gbit_per_host,
        f"{load.gbit_per_host:.0f} Gbit/s",
    )
    yield Row("network to clients", f"{outside:,.1f} Gbit/s", None, "")


def table(load: Load, costs: Costs) -> str:
    """The table, in Markdown, and what breaks first."""
    found = list(rows(load, costs))
    lines = ["| | needed | of the limit | limit |", "|---|---|---|---|"]
    for row in found:
        share = "" if row.share is None else f"{row.share:,.2f}x"
        lines.append(f"| {row.what} | {row.need} | {share} | {row.limit} |")
    broken = sorted((r for r in found if (r.share or 0) > 1), key=lambda r: -(r.share or 0))
    told = "; ".join(f"{r.what} ({r.share:,.1f}x)" for r in broken) or "nothing"
    return "\n".join([*lines, "", f"Over its limit, worst first: {told}."])


def written(page: str, found: str) -> str:
    """The page with this table between its marks."""
    begin, end = map(re.escape, _MARKS)
    return re.sub(f"{begin}.*{end}", lambda _: f"{_MARKS[0]}\n{found}\n{_MARKS[1]}", page, flags=re.DOTALL)


def main(arguments: list[str]) -> None:
    found = table(Load(), Costs.read(ROOT / "bench" / "results"))
    print(found)
    if "--write" in arguments:
        PAGE.write_text(written(PAGE.read_text(), found))


if __name__ == "__main__":
    main(sys.argv[1:])
