"""The metrics of one session: what its end counts, and what it has counted before. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ghostrouter.events import metrics
from ghostrouter.events.metrics import Metric
from ghostrouter.sessions.entries import Outcome
from ghostrouter.sessions.session import Session


class Measured(NamedTuple):
    """What a session adds to a counter, or a value that it gives to a histogram."""

    metric: Metric
    value: float
    labels: Mapping[str, str]


def at_end(session: Session, outcome: Outcome, inference_s: float, moved: bool) -> Iterator[Measured]:
    """What is counted when a session ends here. If it has `moved`, the ingress that took it over counts its cost."""
    yield Measured(metrics.INFERENCE_TIME, inference_s, {})
    yield Measured(metrics.SESSIONS, 1, {"outcome": outcome})
    changes = zip(session.segments, session.segments[1:], strict=False)
    seams = Counter((s.model, t.model, t.reason, t.kv_mode) for s, t in changes if t.took_over and not t.copied)
    for seam, count in seams.items():
        yield Measured(metrics.HANDOFFS, count, dict(zip(metrics.HANDOFFS.labels, seam, strict=True)))
    if moved:
        return
    costs_usd = defaultdict[str, float](float)
    for segment in session.segments:
        for asked in (segment, segment.lost):
            if asked and asked.cost_usd:
                costs_usd[asked.model] += asked.cost_usd
    for model, cost_usd in costs_usd.items():
        yield Measured(metrics.COST, cost_usd, {"model": model})


def while_written(session: Session) -> Iterator[Measured]:
    """What was counted while the answer was written, by whichever ingress wrote it."""
    tokens = Counter[str]()
    for segment in session.own_segments:
        tokens[segment.model] += len(segment.tokens)
        if segment.stall_s is not None:
            yield Measured(metrics.STALL, segment.stall_s, {"target": segment.model, "kv_mode": segment.kv_mode})
        elif segment.ttft_s is not None:
            yield Measured(metrics.TTFT, segment.ttft_s, {"model": segment.model})
    for model, count in tokens.items():
        if count:
            yield Measured(metrics.TOKENS, count, {"model": model})
