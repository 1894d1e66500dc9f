"""What does it cost to be watched? Three services side by side, of which one at a time is under load.

    make bench NAME=telemetry [CLIENTS=32] [SECONDS=4] [ROUNDS=20] [SEED=1]

Each service is the shipped configuration with `ghost-small` alone, asked over HTTP. `on` has metrics, spans of every
session sent to a collector, and a line of JSON a session in the log. `metrics` has metrics alone. `off` has none of the
three. Signals are judged in every lane, because answers depend on them.

Clients ask again as soon as they have their answer, so that the cores are full. Each round has a turn of each lane in a
drawn order, and lanes are compared within a round: `throughput_on_over_off` is tokens per second of `on` over those of
`off`, the median of the rounds, with a 95% interval over them. `cpu_on_over_off` compares the processor time of an
answer in the same way, of all processes of the service; `cpu_ms_by_process` has the medians of each.
`metrics_series_total` counts the series at `GET /metrics`.
"""

import asyncio
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx
import yaml

from bench.load import Target, load, once
from bench.peer_rows import Asked, Row, row_of
from bench.peer_servers import Server, started
from bench.processes import ProcessTree, Used, cpu_by_role
from bench.service import GHOSTROUTER, ROOT, write
from bench.span_collector import span_collector
from ghostrouter.confidence_intervals import Interval, interval
from models import questions

CLIENTS = int(os.environ.get("CLIENTS", "32"))
SECONDS = float(os.environ.get("SECONDS", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "20"))
SEED = int(os.environ.get("SEED", "1"))
BAR = 0.97
LANES = ("on", "metrics", "off")
_MODEL = "ghost-small"
_QUESTIONS = 64
_LEAD_S = 1.0
_FIRST_PORT = 8141
_DRAWS = 2_000
_PROCESSES = 14
_WITHOUT_METRICS = {"RAY_enable_metrics_collection": "0"}


class Turn(NamedTuple):
    """The figures of one turn, and the processor time of an answer by process."""

    row: Row
    cpu_ms: Mapping[str, float]


class Lane(NamedTuple):
    """A service that runs."""

    target: Target
    tree: ProcessTree


def configuration(lane: str, port: int, folder: Path) -> Path:
    """The shipped configuration for a lane."""
    document = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    document["http_options"]["port"] = port
    args = document["applications"][0]["args"]
    args["models"], args["routes"] = args["models"][:1], {"default": {"models": [_MODEL]}}
    args["events"] = {"folder": str(folder)}
    args["logs"] = {"format": "json"} if lane == "on" else {"level": "error"}
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@contextmanager
def running(lane: str, collector: str, first: Mapping[str, Any]) -> Iterator[Lane]:
    """The service of a lane, which has given a right answer."""
    port = _FIRST_PORT + LANES.index(lane)
    target = Target(f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="ghostrouter-telemetry-") as folder:
        environment = {"GHOSTROUTER_LOG_DIR": folder}
        if lane == "on":
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
        if lane == "off":
            environment |= _WITHOUT_METRICS
        command = (GHOSTROUTER, "serve", str(configuration(lane, port, Path(folder))))
        print(f"starting the service of lane {lane} ...", flush=True)
        with started(Server(f"telemetry-{lane}", command, target, environment), first) as service:
            yield Lane(target, service.tree)


def reference(lane: Lane, prompts: Sequence[str]) -> list[Asked]:
    """The prompts with their answers, asked one after the other."""

    async def ask() -> list[Asked]:
        bodies = [body(prompt) for prompt in prompts]
        found = [(told, await once(lane.target, told)) for told in bodies]
        return [Asked(told, answer.text, answer.completion_tokens or 0) for told, answer in found]

    return asyncio.run(ask())


def turn(lane: Lane, asked: Sequence[Asked]) -> Turn:
    """Load a service.

    Raises:
        RuntimeError: an answer is wrong.
    """
    edges: list[dict[tuple[int, int], Used]] = []
    bodies = [lane.target.request(a.body) for a in asked]
    window = _LEAD_S, SECONDS
    loaded = asyncio.run(load(lane.target, bodies, CLIENTS, window, lambda: edges.append(lane.tree.read())))
    spent = cpu_by_role(*edges)
    row, wrong = row_of(loaded, asked, sum(spent.values()))
    if wrong:
        raise RuntimeError(f"{lane.target.url}: {wrong[0]}")
    answers = row["answers_per_s"] * (loaded.end_s - loaded.begin_s)
    return Turn(row, {role: 1e3 * seconds / answers for role, seconds in spent.items()})


def measure(lanes: Mapping[str, Lane], asked: Sequence[Asked]) -> dict[str, list[Turn]]:
    """The turns of each lane, round by round."""
    rng, turns = Random(SEED), defaultdict[str, list[Turn]](list)
    for lane in lanes.values():  # what is imported or compiled at the first use is no cost of a lane
        turn(lane, asked)
    for number in range(ROUNDS):
        for name in rng.sample(LANES, len(LANES)):
            turns[name].append(turn(lanes[name], asked))
        told = ", ".join(f"{name} {turns[name][-1].row['tokens_per_s']:.0f}" for name in LANES)
        print(f"  round {number + 1}, tokens/s: {told}", flush=True)
    return turns


def compared(turns: Mapping[str, Sequence[Turn]], lane: str, column: str) -> Interval:
    """A column of a lane over that of lane `off`: the median over the rounds."""
    pairs = zip(turns[lane], turns["off"], strict=True)
    ratios = [one.row[column] / off.row[column] for one, off in pairs]
    return interval(lambda picked: statistics.median(ratios[i] for i in picked), range(len(ratios)), _DRAWS)


def by_process(turns: Sequence[Turn]) -> dict[str, float]:
    """The median processor time of an answer in ms, of the processes that take the most."""
    roles = {role for one in turns for role in one.cpu_ms}
    medians = {role: statistics.median(one.cpu_ms.get(role, 0.0) for one in turns) for role in roles}
    return dict(sorted(medians.items(), key=lambda item: -item[1])[:_PROCESSES])


def summarise(turns: Mapping[str, Sequence[Turn]], series: int) -> dict[str, Any]:
    """The figures as one flat mapping."""
    found: dict[str, Any] = {}
    for lane in ("on", "metrics"):
        for name, column in (("throughput", "tokens_per_s"), ("cpu", "cpu_ms_per_answer")):
            ratio = compared(turns, lane, column)
            found[f"{name}_{lane}_over_off"] = ratio.value
            found[f"{name}_{lane}_over_off_range"] = [ratio.low, ratio.high]
    found |= {"metrics_series_total": series, "clients": CLIENTS, "rounds": ROUNDS, "seconds": SECONDS, "bar": BAR}
    for lane, of in turns.items():
        for column in ("tokens_per_s", "ttft_p50_ms", "cpu_ms_per_answer"):
            values = [one.row[column] for one in of]
            first, median, third = statistics.quantiles(values, n=4)
            found |= {f"{column}_{lane}": median, f"{column}_{lane}_range": [first, third]}
    return found | {"cpu_ms_by_process": {lane: by_process(of) for lane, of in turns.items()}, "seed": SEED}


def body(prompt: str) -> dict[str, Any]:
    """A request for a streamed, greedy answer."""
    told = {"model": _MODEL, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
    return {**told, "max_tokens": 300, "stream": True, "stream_options": {"include_usage": True}}


def main() -> None:
    prompts = [q.prompt for q in questions.sample("test", SEED, _QUESTIONS)]
    with ExitStack() as stack:
        collector = stack.enter_context(span_collector())
        lanes = {name: stack.enter_context(running(name, collector, body(prompts[0]))) for name in LANES}
        turns = measure(lanes, reference(lanes["off"], prompts))
        page = httpx.get(f"{lanes['on'].target.url}/metrics", timeout=60).raise_for_status().text
    series = sum(not line.startswith("#") for line in page.splitlines())
    write("telemetry", summarise(turns, series))


if __name__ == "__main__":
    main()
