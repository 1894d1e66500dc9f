"""Judges running segments token by token: hysteresis, onset, hand-off and hand-back.

What is decided about a token depends on the tokens of its segment up to it, the segment's limits and the calibration:
not on how many tokens are taken in at once, nor on which segments are taken in together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ghostrouter.detect.answer_risk import AnswerDetector
from ghostrouter.detect.calibration import Calibration, Risk
from ghostrouter.detect.detector import Floats, State, Tick, scan
from ghostrouter.detect.onset import OnsetTracker
from ghostrouter.signals.answer_text import AnswerText
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.types import NO_VERDICTS, Limits, SegmentKey, Verdict

Bools = npt.NDArray[np.bool_]
_STEP_START = COLUMNS.index("step_start")


class Alarms(NamedTuple):
    """How many tokens were judged, and how many of them alarmed. After an alarm the rest of its step is not counted."""

    tokens: int = 0
    alarms: int = 0


@dataclass(slots=True)
class Judged:
    """One running segment: what the detector remembers, and what was decided.

    The detector begins every segment with fresh state, also after a seam. The tokens kept before it were written by
    another model, so this model's signals of them are not known; and the detectors are trained on traces that begin at
    any step (`detect.training.begun_later`). `answer` is there if the segment begins an answer that is judged as a
    whole; `answer_risk` is P(wrong) of that answer so far.
    """

    key: SegmentKey
    limits: Limits
    state: State
    position: int = 0
    trouble: OnsetTracker = field(default_factory=OnsetTracker)
    calm_run: int = 0
    risk: float = 0.0
    verdict: Verdict | None = None
    answer: "JudgedAnswer | None" = None
    answer_risk: float | None = None
    _alarmed: bool = False
    _tokens: int = 0
    _alarms: int = 0

    def count(self, alarm: bool, step_start: bool) -> None:
        """Count a token for the rate of alarms: at most one alarm per step, and no tokens after it in that step."""
        self._alarmed = self._alarmed and not step_start
        if not self._alarmed:
            self._tokens += 1
            self._alarms += alarm
            self._alarmed = alarm

    def take_alarms(self) -> Alarms:
        """What was counted since the last call."""
        counted = Alarms(self._tokens, self._alarms)
        self._tokens = self._alarms = 0
        return counted


@dataclass(slots=True)
class JudgedAnswer:
    """An answer that is judged as a whole: what was read of its text, and what the detector remembers."""

    text: AnswerText
    state: State


class Monitor:
    """Judges by one calibration. A verdict is final: later tokens are not judged."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._risk = Risk(calibration)
        self._answers = AnswerDetector(calibration.answer) if calibration.answer else None

    @property
    def reads(self) -> bool:
        """Whether `judge` needs the text of the tokens."""
        return self._answers is not None

    def open(self, key: SegmentKey, limits: Limits = NO_VERDICTS, question: str | None = None) -> Judged:
        """A segment that begins. With a `question` it begins an answer, which is judged as a whole too."""
        answer = None
        if self._answers and question is not None:
            answer = JudgedAnswer(AnswerText(question), np.zeros(self._answers.width))
        return Judged(key, limits, np.zeros(self._risk.width), answer=answer)

    def judge(
        self,
        segments: Sequence[Judged],
        signals: Floats,
        counts: Sequence[int],
        pieces: Sequence[str] = (),
        form: Bools | None = None,
    ) -> Floats:
        """Take in the next `counts` tokens of some segments; the risk of each token, of shape (tokens,).

        `signals` has the shape (tokens, columns), segment by segment; `pieces` is their text, if the monitor `reads`.
        `form`, of shape (tokens,), says which tokens follow from the answer's form. They have a position, but for the
        detectors it is as if they were not there; their risk is nan.
        The segments' `position` and `verdict` go on.
        """
        if not segments:
            return np.empty(0, np.float32)
        places: list[Sequence[int]] = [range(count) for count in counts]
        if form is None or not form.any():
            return self._judge(segments, signals, counts, places, pieces)
        of_segments = np.split(~form, np.cumsum(counts)[:-1])
        places = [np.flatnonzero(content).tolist() for content in of_segments]
        texts = [p for p, is_form in zip(pieces, form.tolist(), strict=False) if not is_form]
        risks = np.full(len(signals), np.nan, np.float32)
        risks[~form] = self._judge(segments, signals[~form], counts, places, texts)
        return risks

    def pause(self, segment: Judged) -> None:
        """Take in that a segment pauses between two steps: a calm one is handed back, with all of its tokens."""
        at = segment.position
        if segment.verdict is None and at > 0 and self._may_hand_back(segment):
            segment.verdict = Verdict(segment.key, at, "hand_back", segment.risk, at)

    def _may_hand_back(self, segment: Judged) -> bool:
        return segment.limits.may_hand_back and segment.calm_run >= self._calibration.calm_tokens

    def _judge(
        self,
        segments: Sequence[Judged],
        signals: Floats,
        counts: Sequence[int],
        places: Sequence[Sequence[int]],
        pieces: Sequence[str],
    ) -> Floats:
        """Judge some of the next `counts` tokens of each segment: those at `places`, with these signals and texts."""
        state = np.array([s.state for s in segments])
        judged = [len(p) for p in places]
        risks = scan(self._risk, state, signals, judged)
        # One conversion for all segments: one for each would cost as much as the walk.
        wrong = self._answer_risks(segments, signals, judged, pieces) if self._answers and pieces else repeat(None)
        told = zip(risks.tolist(), signals[:, _STEP_START].tolist(), wrong, strict=False)
        for segment, row, count, where in zip(segments, state, counts, places, strict=True):
            segment.state = row
            self._walk(segment, count, zip(where, islice(told, len(where)), strict=True))
        return risks

    def held_from(self, segment: Judged) -> int | None:
        """The onset: a handoff would drop the tokens from here on.

        None: risk is not raised, or the calibration cuts at the alarm.
        """
        return segment.trouble.onset if self._calibration.rollback == "onset" else None

    def _answer_risks(
        self, segments: Sequence[Judged], signals: Floats, counts: Sequence[int], pieces: Sequence[str]
    ) -> list[float | None]:
        """P(wrong) of the answer at each token; None in segments that do not begin an answer."""
        out: list[float | None] = [None] * len(signals)
        lengths = np.array(counts)
        first = np.cumsum(lengths) - lengths
        for t in range(int(lengths.max())):
            running = [(s.answer, int(first[i]) + t) for i, s in enumerate(segments) if s.answer and counts[i] > t]
            if not running or self._answers is None:
                continue
            state = np.array([answer.state for answer, _ in running])
            rows = [row for _, row in running]
            text = [answer.text.push(pieces[row]) for answer, row in running]
            risks = self._answers.step(state, Tick(*signals[rows].T), text)
            for (answer, row), after, risk in zip(running, state, risks.tolist(), strict=True):
                answer.state = after
                out[row] = risk
        return out

    def _walk(
        self, segment: Judged, count: int, tokens: Iterable[tuple[int, tuple[float, float, float | None]]]
    ) -> None:
        """Take in `count` tokens. `tokens` are those to judge, each with its place among them."""
        start = segment.position
        for place, (risk, step_start, wrong) in tokens:
            if segment.verdict is not None:
                continue
            segment.position = start + place
            segment.count(_reaches(risk, self._calibration.handoff_risk), bool(step_start))
            segment.verdict = self._next(segment, risk, bool(step_start)) or self._of_answer(segment, wrong)
            segment.answer_risk = wrong
            segment.risk = risk
            segment.position += 1
        if segment.verdict is None:
            segment.position = start + count

    def _next(self, segment: Judged, risk: float, step_start: bool) -> Verdict | None:
        """Take one token into account; the verdict, if it is time to switch."""
        c, limits, at = self._calibration, segment.limits, segment.position
        if step_start and at > 0 and self._may_hand_back(segment):
            return Verdict(segment.key, at + 1, "hand_back", risk, at)
        segment.calm_run = segment.calm_run + 1 if risk < c.quiet_risk else 0
        if not limits.may_hand_off:
            return None  # no handoff is allowed, so nothing is held
        hand_off_at = c.handoff_risk if limits.hand_off_at is None else limits.hand_off_at
        warm_risk = c.warm_risk if hand_off_at is None else min(c.warm_risk, hand_off_at)
        segment.trouble.push(at, risk, warm_risk, c.quiet_risk, c.quiet_tokens)
        if not _reaches(risk, hand_off_at):
            return None
        begun = self.held_from(segment)
        return Verdict(segment.key, at + 1, "handoff", risk, at if begun is None else begun)

    def _of_answer(self, segment: Judged, wrong: float | None) -> Verdict | None:
        """The verdict if the whole answer is likely to be wrong; `wrong` is that probability."""
        answer, limits, at = self._calibration.answer, segment.limits, segment.position
        if answer is None or wrong is None or not limits.may_hand_off:
            return None
        if limits.answer_hand_off_at is None:
            alarms = _reaches(wrong, answer.alarm_risk)
        else:
            alarms = wrong * (answer.rescue.at(at) if answer.rescue else 1.0) >= limits.answer_hand_off_at
        return Verdict(segment.key, at + 1, "handoff", wrong, at) if alarms else None


def _reaches(risk: float, at: float | None) -> bool:
    """Whether a risk reaches a threshold; None: no risk does."""
    return at is not None and risk >= at
