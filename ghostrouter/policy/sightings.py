"""What one ingress saw of an answer, told to the others: each learns from the answers of all.

A board in one process keeps the last sightings in order. Whoever tells it something gets what the others told since
it last asked. What is lost on the way leaves them with what they knew.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from ghostrouter.policy.observed import Observed
from ghostrouter.policy.tiers import Promotions
from ghostrouter.sessions.segment import Segment
from ghostrouter.sessions.session import Session

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """Of a segment: it failed, or its seconds to the first token and from there to its last, and its `tokens`. With a
    `task` it is the first of an answer; `confidence` is None where its engine tells none."""

    model: str
    first_token_s: float | None = None
    tokens: int = 0
    rest_s: float | None = None
    failed: bool = False
    task: str = ""
    confidence: float | None = None


def sightings(session: Session, failed: bool) -> tuple[Sighting, ...]:
    """What a session that is over tells of its models, and of the task it was labelled with."""
    found = []
    for segment, after in zip_longest(session.segments, session.segments[1:]):
        broke = after.reason in ("failure", "shed") if after else failed
        rest_s = None
        if segment.first_token_at_s and segment.last_token_at_s:
            rest_s = segment.last_token_at_s - segment.first_token_at_s
        found.append(Sighting(segment.model, segment.ttft_s, segment.generated_tokens, rest_s, broke))
    label = session.plan.classification
    if found and label:
        found[0] = replace(found[0], task=label.task, confidence=_confidence(session.segments[0]))
    return tuple(found)


def _confidence(segment: Segment) -> float | None:
    """The geometric mean of its tokens' probabilities; None where the engine tells none."""
    told = [t.logprob for t in segment.tokens if t.rank]
    return math.exp(sum(told) / len(told)) if told else None


@dataclass(frozen=True, slots=True)
class Told:
    """What an ingress tells the board: its name, the number it has heard up to, and what it saw since it last told."""

    who: str
    heard: int
    sightings: tuple[Sighting, ...]


NOTHING = Told("", 0, ())


@dataclass(frozen=True, slots=True)
class Heard:
    """What it hears: the number up to which, and what others saw."""

    number: int
    sightings: tuple[Sighting, ...]


class Board:
    """The last sightings of all."""

    def __init__(self) -> None:
        self._number = 0
        self._kept: deque[tuple[int, str, Sighting]] = deque(maxlen=_KEPT)

    def exchange(self, told: Told) -> Heard:
        """Put up what one tells; what the others have put up since it last asked. One that has heard more than there is
        heard it from a board that is no more."""
        after = told.heard if told.heard <= self._number else 0
        for sighting in told.sightings:
            self._number += 1
            self._kept.append((self._number, told.who, sighting))
        news = tuple(s for number, who, s in self._kept if number > after and who != told.who)
        return Heard(self._number, news)


class Watch:
    """One ingress' side: what is seen counts at once here, and with the others when they hear of it."""

    def __init__(self, who: str, observed: Observed, promotions: Promotions) -> None:
        self._who = who
        self._observed = observed
        self.promotions = promotions
        self._heard = 0
        self._untold: deque[Sighting] = deque(maxlen=_KEPT)

    def saw(self, sightings: Sequence[Sighting], now_s: float) -> None:
        """Count what was seen here."""
        self._untold.extend(sightings)
        self._count(sightings, now_s)

    def tell(self) -> Told:
        """What is to be told; it is told once, whether it arrives or not."""
        told = Told(self._who, self._heard, tuple(self._untold))
        self._untold.clear()
        return told

    def hear(self, heard: Heard, now_s: float) -> None:
        """Count what others saw, as if it were seen now."""
        self._heard = heard.number
        self._count(heard.sightings, now_s)

    def _count(self, sightings: Sequence[Sighting], now_s: float) -> None:
        for seen in sightings:
            if seen.failed:
                self._observed.failed(seen.model, now_s)
            elif seen.first_token_s is not None and seen.rest_s is not None:
                self._observed.answered(seen.model, seen.first_token_s, seen.tokens, seen.rest_s, now_s)
            if seen.task:
                self.promotions.observe(seen.task, seen.first_token_s, seen.confidence, now_s)
