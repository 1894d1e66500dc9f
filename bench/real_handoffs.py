"""At which token of the small model's answer a policy hands it to the large one.

A policy at one setting gives, for each question, the number of tokens that are kept; None: no handoff. What serves is
what decides: `Switching` sets the limits of the segment by the worth of a right answer, and `Monitor` judges its tokens
by the calibration.
"""

import random
from collections.abc import Sequence

import numpy as np

from bench.real_pair import LARGE_PRICE, SMALL_PRICE, Pair
from ghostrouter.conversation import Message
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.detector import scan_answers
from ghostrouter.detect.fixed_detectors import FIXED_DETECTORS
from ghostrouter.detect.monitor import Monitor
from ghostrouter.money import Worth
from ghostrouter.policy.switch import SwitchRules
from ghostrouter.policy.verdict_limits import Known, Switching
from ghostrouter.sessions.ask import Ask
from ghostrouter.sessions.session import Session
from ghostrouter.traces.trace import Trace
from ghostrouter.types import Limits, Plan, Sampling, SegmentKey

# What a right answer is worth, in tokens of the large model.
WORTHS_TOKENS = (90, 160, 300, 1000)
# The detectors of single tokens that alarmed before whole answers were judged, at thresholds by training answers.
RIVALS = ("first_of_step", "window")
RIVAL_SHARES = (0.5,)
RANDOM_SHARES = (0.5,)

Kept = list[int | None]


def ours(
    pair: Pair, calibration: Calibration, traces: Sequence[Trace], prompt_tokens: Sequence[int], worth_tokens: float
) -> Kept:
    """Where the service would hand over if a right answer is worth so many tokens of the large model."""
    answer = calibration.answer
    known = Known(SMALL_PRICE, answer_tokens=answer.tokens if answer else None)
    switching = Switching({pair.small: known, pair.large: Known(LARGE_PRICE)})
    worth = Worth(worth_tokens * LARGE_PRICE.completion_usd_per_mtok / 1e6)
    monitor = Monitor(calibration)
    kept: Kept = []
    for i, (trace, prompt) in enumerate(zip(traces, prompt_tokens, strict=True)):
        limits = _limits(switching, pair, trace, prompt, worth)
        segment = monitor.open(SegmentKey(str(i), 0), limits, trace.prompt)
        monitor.judge([segment], trace.signals, [len(trace.signals)], trace.tokens)
        kept.append(None if segment.verdict is None else segment.verdict.onset)
    return kept


def _limits(switching: Switching, pair: Pair, trace: Trace, prompt_tokens: int, worth: Worth) -> Limits:
    ask = Ask((Message("user", trace.prompt),), Sampling(max_tokens=len(trace.signals) + 1), False, worth=worth)
    session = Session("question", ask, Plan((pair.small, pair.large), ""), 0.0)
    session.open(pair.small, tuple(range(prompt_tokens)), 0.0)
    return switching.limits(session, (pair.small, pair.large), pair.small, SwitchRules(1, hand_back=False))


def rival(name: str, train: Sequence[Trace], traces: Sequence[Trace], share: float) -> Kept:
    """Where a detector's score first reaches the threshold that it reaches in this share of the training answers."""
    peaks = [scores.max() for scores in _scores(name, train)]
    at = float(np.quantile(peaks, 1 - share))
    return [int(np.argmax(scores >= at)) if (scores >= at).any() else None for scores in _scores(name, traces)]


def _scores(name: str, traces: Sequence[Trace]) -> list[np.ndarray]:
    detector = FIXED_DETECTORS[name]
    lengths = [len(t.signals) for t in traces]
    out = np.empty(sum(lengths), np.float32)
    scan_answers(detector.step, detector.width, [t.signals for t in traces], out)
    return np.split(out, np.cumsum(lengths)[:-1])


def at_random(traces: Sequence[Trace], share: float, seed: int) -> Kept:
    """A handoff at a random token in this share of the answers."""
    rng = random.Random(seed)
    return [rng.randrange(len(t.signals)) if rng.random() < share else None for t in traces]
