"""Judges the tokens of all running segments of a replica before they are sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deployments.engine.telemetry_client import TelemetryClient
from ghostrouter.detect.monitor import Judged, Monitor
from ghostrouter.signals.batch import Floats, matrix
from ghostrouter.types import Limits, SegmentKey, Token, Verdict


@dataclass(slots=True, eq=False)
class RunningSegment:
    """One running segment. `wake` is set when tokens have been judged.

    A model without calibration has no `monitor`, and its tokens pass unjudged. While `is_quiet`, the writer
    already waits until its next frame is due. New tokens do not wake it; raised risk, a verdict or an error does.

    `with_risks`: each judged token gets its risk. Those that follow from the answer's form are not judged.
    """

    key: SegmentKey
    wake: asyncio.Event
    monitor: Monitor | None
    judged: Judged | None
    with_risks: bool = False
    waiting: list[Token] = field(default_factory=list)
    position: int = 0
    is_quiet: bool = False
    error: Exception | None = None
    _fresh: list[Token] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that ends the segment; None while there is none."""
        return self.judged.verdict if self.judged else None

    @property
    def held_from(self) -> int | None:
        """The first token that may still be taken back; None: none may."""
        return self.monitor.held_from(self.judged) if self.monitor and self.judged else None

    @property
    def raised(self) -> bool:
        """Whether risk is raised. Then a target may be prepared."""
        return self.judged is not None and self.judged.trouble.onset is not None

    def take(self) -> list[Token]:
        """The tokens that were judged since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def pass_on(self, tokens: list[Token]) -> None:
        """Pass judged tokens on."""
        self._fresh += tokens
        self.position += len(tokens)
        if not self.is_quiet or self.raised or self.verdict or self.error:
            self.wake.set()


class SegmentJudge:
    """One per replica and model. All tokens of one turn of the event loop are judged in one evaluation.

    A step of the engine reaches all its segments in one turn. So there is one evaluation per step, however many
    segments are running.
    """

    def __init__(self, telemetry_client: TelemetryClient) -> None:
        self._telemetry_client = telemetry_client
        self._dirty: list[RunningSegment] = []

    def open(
        self,
        key: SegmentKey,
        limits: Limits,
        wake: asyncio.Event,
        with_risks: bool = False,
        question: str | None = None,
    ) -> RunningSegment:
        """Start to judge a segment. It uses the calibration that is in force now, to its end.

        `question` is known if the segment begins an answer. Then the answer is judged too.
        """
        monitor = self._telemetry_client.monitor(key)
        judged = monitor.open(key, limits, question) if monitor else None
        return RunningSegment(key, wake, monitor, judged, with_risks)

    def submit(self, segment: RunningSegment, tokens: Sequence[Token]) -> None:
        """Submit the next tokens of a segment. Tokens after a verdict stay unjudged."""
        if not tokens:
            return
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._judge)
        if not segment.waiting:
            self._dirty.append(segment)
        segment.waiting += tokens

    async def pause(self, segment: RunningSegment) -> None:
        """A sentence ends behind the last token of a segment, and its source goes no further."""
        await asyncio.sleep(0)  # the tokens before it are judged in this turn of the event loop
        if segment.monitor and segment.judged:
            segment.monitor.pause(segment.judged)
            if segment.verdict:
                segment.wake.set()

    def _judge(self) -> None:
        segments, self._dirty = [t for t in self._dirty if t.verdict is None], []
        for monitor in {id(t.monitor): t.monitor for t in segments}.values():
            self._judge_by(monitor, [t for t in segments if t.monitor is monitor])

    def _judge_by(self, monitor: Monitor | None, segments: Sequence[RunningSegment]) -> None:
        counts = [len(t.waiting) for t in segments]
        tokens = [token for t in segments for token in t.waiting]
        signals = matrix(tokens)
        risks: Floats | None = None
        if monitor:
            try:
                pieces = [token.text for token in tokens] if monitor.reads else ()
                form = np.array([token.is_form for token in tokens], dtype=bool)
                judged = [t.judged for t in segments if t.judged]
                risks = monitor.judge(judged, signals, counts, pieces, form)
            except Exception as error:  # noqa: BLE001 - handed to the writers, which raise it
                for segment in segments:
                    segment.error = error
        begin = 0
        for segment, count in zip(segments, counts, strict=True):
            own = signals[begin : begin + count]
            self._telemetry_client.report(segment.key, segment.position, own, segment.judged)
            fresh, segment.waiting = segment.waiting, []
            if segment.with_risks and risks is not None:
                told = risks[begin : begin + count].tolist()
                fresh = [t if t.is_form else t._replace(risk=risk) for t, risk in zip(fresh, told, strict=True)]
            begin += count
            segment.pass_on(fresh)
