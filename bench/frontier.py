"""Accuracy against the share of large-model tokens: switching in mid-answer beside everything else one could do.

    make bench NAME=frontier [SEED=1] [N=60] [CONCURRENCY=4] [TRAIN=1000]

All policies answer the same held-out questions through the same service, in one run. What answers of small and large
alone are enough for (routing whole questions, judging whole answers) is computed from those, with the threshold that is
best on these very questions. The curves of policies that switch in mid-answer come from several worths of a right
answer; other detectors than ours, and ours with something taken away, are put in place by handing telemetry other
calibrations, live. All of them are fitted to the same traces, as `ghostrouter calibrate` does it.
"""

import asyncio
import json
import os
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from bench.service import ROOT, Answer, Client, recalibrate, running, write
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000, fit
from ghostrouter.signals.entropy import bounds
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.trace import Trace
from models import questions
from models.traces import Recorder

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "60"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "4"))
TRAIN = int(os.environ.get("TRAIN", "1000"))
CONFIG = "bench/frontier.yaml"
SMALL, LARGE = "ghost-small", "ghost-large"
WORTHS_USD = (2e-5, 4e-5, 1e-4, 3e-4, 1e-3, 1e-2)
ABLATION_WORTHS_USD = (4e-5, 3e-4, 1e-2)
RIVALS = ("first_of_step", "window")
ABLATIONS = ("no_rollback", "no_hand_back", "level_only")
RANDOM_SHARES = (0.1, 0.25, 0.5)
RANDOM_RUN_TOKENS = 12

Floats = npt.NDArray[np.float64]


class Point(NamedTuple):
    """What a policy gave at one setting: share of tokens by the large model, share of right answers."""

    share: float
    accuracy: float


class Outcome(NamedTuple):
    """What came of all questions at one setting."""

    point: Point
    dropped_share: float
    handoffs: float


def outcome(asked: Sequence[questions.Question], answers: Sequence[Answer]) -> Outcome:
    """Of answers that were written through the graph. Tokens that a rollback dropped count as written."""
    segments = [s for a in answers for s in a.ghost["segments"]]
    written = {SMALL: 0, LARGE: 0}
    for a in answers:
        dropped = [s["rollback_tokens"] for s in a.ghost["segments"][1:]] + [0]
        for segment, more in zip(a.ghost["segments"], dropped, strict=True):
            written[segment["model"]] += segment["tokens"] + more
    total = sum(written.values())
    right = statistics.fmean(questions.is_correct(q, a.text) for q, a in zip(asked, answers, strict=True))
    return Outcome(
        Point(written[LARGE] / total, right),
        sum(s["rollback_tokens"] for s in segments) / total,
        statistics.fmean(a.ghost["handoffs"] for a in answers),
    )


def sweep(scores: Floats, small: "Alone", large: "Alone", *, cascade: bool) -> list[Point]:
    """Whole questions to large, those of the highest score first. A cascade has paid for small's answer before."""
    points = []
    for count in range(len(scores) + 1):
        chosen = np.zeros(len(scores), bool)
        chosen[np.argsort(-scores, kind="stable")[:count]] = True
        of_large = large.tokens[chosen].sum()
        of_small = small.tokens.sum() if cascade else small.tokens[~chosen].sum()
        right = np.where(chosen, large.right, small.right).mean()
        points.append(Point(float(of_large / (of_large + of_small)), float(right)))
    return points


class Alone(NamedTuple):
    """One model's own answers: tokens and correctness by question."""

    tokens: Floats
    right: npt.NDArray[np.bool_]


def alone(asked: Sequence[questions.Question], answers: Sequence[Answer]) -> Alone:
    return Alone(
        np.array([a.completion_tokens for a in answers], float),
        np.array([questions.is_correct(q, a.text) for q, a in zip(asked, answers, strict=True)]),
    )


def entropies(answer: Answer, vocabulary: int) -> list[float]:
    """An upper bound of the entropy of each token, in nats, from the log-probabilities the API gives."""
    return [bounds([t["logprob"] for t in entry["top_logprobs"]], vocabulary).upper_nats for entry in answer.logprobs]


def query_scores(asked: Sequence[questions.Question], small_right: npt.NDArray[np.bool_]) -> Floats:
    """How likely small is wrong by the question alone: logistic regression on embeddings, cross-validated."""
    embeddings = sentence_encoder("all-MiniLM-L6-v2")([q.prompt for q in asked])[:, -1]
    regression = LogisticRegression(max_iter=1000)
    scores: Floats = cross_val_predict(regression, embeddings, ~small_right, cv=5, method="predict_proba")[:, 1]
    return scores


def random_script(rng: random.Random, tokens: int, share: float) -> list[dict[str, Any]]:
    """Runs of large at random places that make up a share of an answer of so many tokens."""
    gap = RANDOM_RUN_TOKENS * (1 - share) / share
    script: list[dict[str, Any]] = []
    at = rng.uniform(1, 2 * gap)
    while at < tokens and len(script) < 62:
        script.append({"after_tokens": max(1, round(at)), "to": LARGE})
        at += RANDOM_RUN_TOKENS
        script.append({"after_tokens": round(at), "to": SMALL})
        at += max(1.0, rng.uniform(0, 2 * gap))
    return script


def area(points: Sequence[Point], small: float, large: float) -> float:
    """Under the curve of the best accuracy at each share or below it, from small alone to large alone."""
    best, corners = small, [(0.0, small)]
    for point in sorted(points):
        best = max(best, point.accuracy)
        corners.append((point.share, best))
    corners.append((1.0, max(best, large)))
    x, y = zip(*corners, strict=True)
    return float(np.trapezoid(y, x))


def gap_recovered(points: Sequence[Point], share: float, small: float, large: float) -> float:
    """Of the gap in accuracy at a share of large tokens, between the points that were measured."""
    known = sorted([Point(0.0, small), *points, Point(1.0, large)])
    accuracy = float(np.interp(share, [p.share for p in known], [p.accuracy for p in known]))
    return (accuracy - small) / (large - small)


def shipped() -> dict[str, str]:
    """The calibration files of the shipped models."""
    return {name: str(ROOT / "models" / name / "calibration.json") for name in (SMALL, LARGE)}


def fit_to(traces: Sequence[Trace], detector: str | None = None) -> Calibration:
    """What `ghostrouter calibrate` makes of small's traces."""
    return fit(SMALL, traces, FALSE_ALARMS_PER_1000, f"{TRAIN} validation questions, forced view", detector).calibration


def calibrations(folder: Path) -> Iterator[tuple[str, Sequence[float], dict[str, str]]]:
    """What telemetry is given, by policy, and the worths to try: ours, the rivals, and ours without something."""
    recorder = Recorder(ROOT / "models" / SMALL)
    traces = [as_trace(line) for line in recorder.forced(questions.sample("validation", 1, TRAIN))]
    ours = fit_to(traces)
    fitted = {
        "ghost": ours,
        **{name: fit_to(traces, name) for name in RIVALS},
        # Risk is raised no sooner than it leads to a handoff, so the answer is never taken back behind that token.
        "no_rollback": ours.model_copy(update={"warm_risk": ours.handoff_risk, "quiet_risk": ours.handoff_risk}),
        "level_only": fit_to(traces, "level"),
    }
    for name, calibration in fitted.items():
        path = folder / f"{name}.json"
        calibration.save(path)
        yield name, ABLATION_WORTHS_USD if name in ABLATIONS else WORTHS_USD, shipped() | {SMALL: str(path)}
    path = folder / "no_hand_back.json"
    large = Calibration.load(ROOT / shipped()[LARGE])
    large.model_copy(update={"calm_tokens": 1_000_000}).save(path)
    yield "no_hand_back", ABLATION_WORTHS_USD, shipped() | {LARGE: str(path)}


async def scripted(client: Client, prompts: Sequence[str], tokens: Floats, share: float) -> list[Answer]:
    """Switching at random places, whatever the tokens look like."""
    rng = random.Random(SEED)
    scripts = [{"switch": "failure_only", "handoffs": random_script(rng, int(n), share)} for n in tokens]
    asked = zip(prompts, scripts, strict=True)
    return await asyncio.gather(
        *(client.ask([{"role": "user", "content": p}], model="ghost/auto", temperature=0, ghost=s) for p, s in asked)
    )


async def measure(url: str) -> dict[str, Any]:
    asked = questions.sample("test", SEED, N)
    prompts = [q.prompt for q in asked]
    curves: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory() as folder:
        fitted = list(calibrations(Path(folder)))
        async with Client(url, CONCURRENCY) as client:
            own = await client.ask_all(prompts, model=SMALL, temperature=0, logprobs=True, top_logprobs=20)
            small = alone(asked, own)
            large = alone(asked, await client.ask_all(prompts, model=LARGE, temperature=0))
            print(f"  small {small.right.mean():.3f}, large {large.right.mean():.3f}", flush=True)
            curves["random"] = [
                outcome(asked, await scripted(client, prompts, large.tokens, share)) for share in RANDOM_SHARES
            ]
            for name, worths, files in fitted:
                await recalibrate(CONFIG, files)
                curves[name] = []
                for usd in worths:
                    answers = await client.ask_all(
                        prompts, model="ghost/auto", temperature=0, ghost={"quality_usd": usd}
                    )
                    curves[name].append(outcome(asked, answers))
                    print(f"  {name} at {usd} USD: {curves[name][-1]}", flush=True)
    return summarise(asked, own, small, large, curves)


def summarise(
    asked: Sequence[questions.Question],
    written: Sequence[Answer],
    small: Alone,
    large: Alone,
    curves: dict[str, list[Outcome]],
) -> dict[str, Any]:
    """The figures, flat, and the curves; draws them too."""
    vocabulary = json.loads((ROOT / "models" / SMALL / "config.json").read_text())["vocab_size"]
    of_token = [entropies(a, vocabulary) for a in written]
    points = {name: [o.point for o in outcomes] for name, outcomes in curves.items()}
    points["query"] = sweep(query_scores(asked, small.right), small, large, cascade=False)
    points["cascade_max"] = sweep(np.array([max(e) for e in of_token]), small, large, cascade=True)
    points["cascade_mean"] = sweep(np.array([statistics.fmean(e) for e in of_token]), small, large, cascade=True)
    low, high = float(small.right.mean()), float(large.right.mean())
    draw({name: found for name, found in points.items() if name not in ABLATIONS}, low, high)
    middle = min(curves["ghost"], key=lambda o: abs(o.point.share - 0.25))
    return {
        **{f"area_{name}": area(found, low, high) for name, found in points.items()},
        "gap_recovered_at_25pct": gap_recovered(points["ghost"], 0.25, low, high),
        "gap_recovered_at_10pct": gap_recovered(points["ghost"], 0.10, low, high),
        "wasted_tokens_share": middle.dropped_share,
        "handoffs_per_answer_near_25pct": middle.handoffs,
        "accuracy_small": low,
        "accuracy_large": high,
        "worths_usd": list(WORTHS_USD),
        "n": len(asked),
        "seed": SEED,
        **{f"curve_{name}": found for name, found in points.items()},
    }


def draw(points: dict[str, list[Point]], small: float, large: float) -> None:
    """docs/frontier.svg and docs/frontier.png."""
    matplotlib.use("agg")
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for name, found in sorted(points.items(), key=lambda item: item[0] == "ghost"):
        ours = name == "ghost"
        shares, accuracies = zip(*sorted(found), strict=True)
        marker = "o" if name in ("ghost", "random", *RIVALS) else ""
        axes.plot(shares, accuracies, label=name, marker=marker, lw=2.5 if ours else 1.2, zorder=3 if ours else 2)
    axes.scatter([0, 1], [small, large], color="black", zorder=4)
    axes.set(xlabel="share of tokens written by the large model", ylabel="right answers", xlim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    for ending in ("svg", "png"):
        figure.savefig(
            ROOT / "docs" / f"frontier.{ending}", dpi=150, metadata={"Date": None} if ending == "svg" else None
        )


def main() -> None:
    with running(CONFIG, "http://127.0.0.1:8100") as url:
        write("frontier", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
