"""Share what each ingress observes of the models, so that every ingress learns from all answers.

One process holds the board, which keeps the last observations in order. An ingress sends a report to the board and gets
the observations that others have reported since its last report. A lost report or update is not repeated.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from ghostrouter.policy.model_stats import FleetStats
from ghostrouter.policy.tiers import Promotions
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Observation:
    """One segment: whether it failed, its seconds to the first token, the seconds from there to its last, its tokens.

    `pressure` is what its replica said of its load at the end; None if it said nothing.
    `task` is set for the first segment of an answer. `confidence` is None if the engine gives no log-probabilities.
    """

    model: str
    first_token_s: float | None = None
    tokens: int = 0
    rest_s: float | None = None
    failed: bool = False
    task: str = ""
    confidence: float | None = None
    pressure: float | None = None


def observations(session: Session, failed: bool) -> tuple[Observation, ...]:
    """The observations of a session that has ended, one per segment. `failed` says how its last segment ended."""
    found = []
    segments = session.own_segments
    for segment, after in zip_longest(segments, segments[1:]):
        segment_failed = after.reason in ("failure", "shed") if after else failed
        rest_s = None
        if segment.first_token_at_s and segment.last_token_at_s:
            rest_s = segment.last_token_at_s - segment.first_token_at_s
        found.append(
            Observation(
                segment.model,
                segment.ttft_s,
                segment.generated_tokens,
                rest_s,
                segment_failed,
                pressure=segment.pressure,
            )
        )
    label = session.plan.classification
    if found and label:
        found[0] = replace(found[0], task=label.task, confidence=_confidence(segments[0]))
    return tuple(found)


def _confidence(segment: Segment) -> float | None:
    """The geometric mean of the probabilities of its tokens; None if the engine gives no log-probabilities."""
    known = [t.logprob for t in segment.tokens if t.rank]
    return math.exp(sum(known) / len(known)) if known else None


@dataclass(frozen=True, slots=True)
class Report:
    """What an ingress sends: its name, the last number that it has got, and its observations since the last report."""

    sender: str
    last_number: int
    observations: tuple[Observation, ...]


NO_REPORT = Report("", 0, ())


@dataclass(frozen=True, slots=True)
class Update:
    """What an ingress gets: the number of the newest observation on the board, and the observations of others."""

    last_number: int
    observations: tuple[Observation, ...]


class ObservationBoard:
    """The last observations of all ingresses, numbered in the order in which they came."""

    def __init__(self) -> None:
        self._number = 0
        self._kept: deque[tuple[int, str, Observation]] = deque(maxlen=_KEPT)

    def exchange(self, report: Report) -> Update:
        """Keep what an ingress reports; returns what others have reported since its last report.

        An ingress with a higher number than the board's has got it from a board that no longer exists. It gets
        everything.
        """
        after = report.last_number if report.last_number <= self._number else 0
        for observation in report.observations:
            self._number += 1
            self._kept.append((self._number, report.sender, observation))
        fresh = tuple(o for number, sender, o in self._kept if number > after and sender != report.sender)
        return Update(self._number, fresh)


class SharedObservations:
    """The side of one ingress. Its own observations count at once, those of others when they arrive."""

    def __init__(self, sender: str, stats: FleetStats, promotions: Promotions) -> None:
        self._sender = sender
        self._stats = stats
        self.promotions = promotions
        self._last_number = 0
        self._unreported: deque[Observation] = deque(maxlen=_KEPT)

    def add(self, observations: Sequence[Observation], now_s: float) -> None:
        """Count own observations, and keep them for the next report."""
        self._unreported.extend(observations)
        self._count(observations, now_s)

    def take_report(self) -> Report:
        """The report of all new observations. They are not reported again, even if the report is lost."""
        report = Report(self._sender, self._last_number, tuple(self._unreported))
        self._unreported.clear()
        return report

    def apply(self, update: Update, now_s: float) -> None:
        """Count the observations of others, as if they were made now."""
        self._last_number = update.last_number
        self._count(update.observations, now_s)

    def _count(self, observations: Sequence[Observation], now_s: float) -> None:
        for o in observations:
            if o.failed:
                self._stats.add_failure(o.model, now_s)
            elif o.first_token_s is not None and o.rest_s is not None:
                self._stats.add_answer(o.model, o.first_token_s, o.tokens, o.rest_s, now_s)
            if o.pressure is not None:
                self._stats.tell_pressure(o.model, o.pressure, now_s)
            if o.task:
                self.promotions.observe(o.task, o.first_token_s, o.confidence, now_s)
