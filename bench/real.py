"""A pair of real models: does a switch in mid-answer recover more of the gap than other policies?

    make bench NAME=real [DATA=../shared/data/real] [N=150] [TRAIN=300] [CONCURRENCY=8] [MAX_TOKENS=256] [RESCUES=100]
    SMALL=... LARGE=... QUESTIONS=questions.jsonl CHECK=number make bench NAME=real    # one's own: real_own

Without SMALL and LARGE: Qwen2.5-Coder-Instruct 0.5B and 1.5B, which `scripts.real_models` brings, on GSM8K (DATA).
`bench/real_pair.py` and `bench/real_questions.py` explain the variables.

Both models answer all questions through the service. Training questions are labelled (right or wrong; rescue points)
and calibrate the risk of the answer. On held-out questions each policy chooses where to hand over, and the large model
really goes on from each of these places, once. Everything recorded is kept in .cache/real/: a run that was stopped goes
on where it was. `bench/real_handoffs.py` has the policies that switch. Those that judge whole answers
(`cascade_<score>`) or questions (`query`) get the best threshold for the held-out questions.

`area_<policy>` is against the share of large tokens; `area_cost_<policy>` and `area_seconds_<policy>` against money and
time, 0 being the small model alone and 1 the large one alone. `gap_recovered_at_*` is ours at a share of large tokens.
`rescue_recall_at_half`: of the questions that only the large model gets right, how many ours gets right at the setting
nearest to half of the tokens by the large model. Seconds are tokens by each model's pace alone in the training answers,
CONCURRENCY at once.
"""

import asyncio
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.curves import Floats, gap_recovered
from bench.real_curves import AXES, Judge, Sums, leads
from bench.real_handoffs import RANDOM_SHARES, RIVAL_SHARES, RIVALS, WORTHS_TOKENS, Kept, at_random, ours, rival
from bench.real_outcomes import Scores, alone, continuations, pace, policies, query_scores, switching
from bench.real_pair import CONCURRENCY, FOLDER, Pair, serving
from bench.real_plot import draw
from bench.real_questions import Split, from_environment
from bench.real_recorder import Recorder
from bench.real_recording import Answered, answers, lines
from bench.real_seams import same_through_service
from bench.real_store import Store
from bench.seeds import SEED
from bench.service import ROOT, write
from ghostrouter.detect.alarmed import alarmed
from ghostrouter.detect.answer_evaluate import compare
from ghostrouter.detect.answer_risk import AnswerDetector
from ghostrouter.detect.detector import Tick
from ghostrouter.detect.fit import Fit, fit_answers
from ghostrouter.errors import GhostRouterError
from ghostrouter.signals.answer_text import AnswerText
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.trace import Trace

FALSE_ALARMS_PER_100_ANSWERS = 5.0
_OURS = "ghost"


async def measure(pair: Pair, urls: Mapping[str, str], asked: Split) -> dict[str, Any]:
    store = Store(FOLDER / "recorded.jsonl")
    async with Recorder(store, urls, CONCURRENCY) as recorder:
        held_out = await answers(recorder, pair, asked.held_out, "held out")
        train = await answers(recorder, pair, asked.train, "train")
        known = [as_trace(line) for line in await lines(recorder, pair, train)]
        traces = [as_trace(a.line(pair.small)) for a in held_out]
        fitted = fit_answers(pair.small, known, FALSE_ALARMS_PER_100_ANSWERS, f"{len(known)} recorded answers")
        settings = choose(pair, fitted, known, held_out, traces)
        rest = await continuations(recorder, pair, held_out, settings)
        seams = await same_through_service(urls, pair, held_out, settings[_OURS], rest)
    scores = Scores(answer_scores(fitted, held_out, traces), query_scores(train, held_out))
    token_s = pace(train)
    curves = policies(held_out, settings, rest, scores, token_s)
    ours_at = [switching(held_out, kept, rest, token_s) for kept in settings[_OURS]]
    return (
        summarise(Judge(*alone(held_out, token_s)), curves, held_out, ours_at)
        | judged(fitted, traces, known)
        | seams
        | {"small": pair.small, "large": pair.large, "n": len(held_out), "train": len(train), "seed": SEED}
    )


def choose(
    pair: Pair, fitted: Fit, known: Sequence[Trace], held_out: Sequence[Answered], traces: Sequence[Trace]
) -> dict[str, list[Kept]]:
    """The handoffs of every policy that switches."""
    prompts = [a.small.prompt_tokens for a in held_out]
    return {
        _OURS: [ours(pair, fitted.calibration, traces, prompts, worth) for worth in WORTHS_TOKENS],
        **{name: [rival(name, known, traces, share) for share in RIVAL_SHARES] for name in RIVALS},
        "random": [at_random(traces, share, SEED) for share in RANDOM_SHARES],
    }


def answer_scores(fitted: Fit, held_out: Sequence[Answered], traces: Sequence[Trace]) -> dict[str, Floats]:
    """How doubtful whole answers are: by mean and lowest log-probability, and by our risk at the last token."""
    logprobs = [a.small.logprobs or (0.0,) for a in held_out]
    found = {
        "mean": np.array([-statistics.fmean(of) for of in logprobs]),
        "least": np.array([-min(of) for of in logprobs]),
    }
    if fitted.calibration.answer is not None:
        detector = AnswerDetector(fitted.calibration.answer)
        found["risk"] = np.array([_last_risk(detector, trace) for trace in traces])
    return found


def _last_risk(detector: AnswerDetector, trace: Trace) -> float:
    state, text, risk = np.zeros((1, detector.width)), AnswerText(trace.prompt), 0.0
    for row, token in zip(trace.signals, trace.tokens, strict=True):
        risk = float(detector.step(state, Tick(*row[None].T), [text.push(token)])[0])
    return risk


def judged(fitted: Fit, traces: Sequence[Trace], known: Sequence[Trace]) -> dict[str, Any]:
    """How well the risk of the answer tells wrong from right on held-out questions, and whether promises hold."""
    return compare(traces, known) | alarmed(fitted.calibration, traces) | {"calibration": str(fitted)}


def summarise(
    judge: Judge, curves: Mapping[str, Sums], held_out: Sequence[Answered], ours_at: Sequence[Floats]
) -> dict[str, Any]:
    """The figures as one flat mapping, and the curves."""
    every = np.arange(len(held_out))
    low, high = judge.accuracies(every)
    points = {axis: {name: judge.points(sums, every, axis) for name, sums in curves.items()} for axis in AXES}
    shares = points["share"][_OURS]
    found: dict[str, Any] = {"accuracy_small": low, "accuracy_large": high}
    found["accuracy_either"] = statistics.fmean(a.small_right or a.large_right for a in held_out)
    for axis in AXES:
        prefix = "area" if axis == "share" else f"area_{axis}"
        found |= {f"{prefix}_{name}": judge.area(sums, every, axis) for name, sums in curves.items()}
    for axis in AXES:
        found |= leads(judge, curves, _OURS, axis)
    if high > low:
        for percent in (1, 10, 25, 50):
            found[f"gap_recovered_at_{percent}pct"] = gap_recovered(shares, percent / 100, low, high)
    nearest = min(range(len(shares)), key=lambda k: abs(shares[k].share - 0.5))
    only_large = [i for i, a in enumerate(held_out) if a.large_right and not a.small_right]
    found["rescue_recall_at_half"] = float(ours_at[nearest][only_large, -1].mean()) if only_large else None
    found["worths_tokens"] = list(WORTHS_TOKENS)
    for axis in AXES:
        found |= {f"curve_{axis}_{name}": of for name, of in points[axis].items()}
    return found | {"points": points}


def main() -> None:
    try:
        asked = from_environment()
        with serving() as (pair, urls):
            name = "real" if pair.is_default and "QUESTIONS" not in os.environ else "real_own"
            found = asyncio.run(measure(pair, urls, asked))
            points = found.pop("points")
            write(name, found)
            draw(points, found["accuracy_small"], found["accuracy_large"], ROOT / "docs" / name)
    except GhostRouterError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
