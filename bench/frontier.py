"""Accuracy as a function of the share of large-model tokens: switching in mid-answer, compared with other policies.

    make bench NAME=frontier [SEED=1] [N=60] [CONCURRENCY=4] [TRAIN=1000]
    SEEDS=5 make bench NAME=frontier  # ours and the two models alone, over several draws of questions: frontier_seeds
    CONFIG=serve.yaml QUESTIONS=held-out.jsonl TRACES=small.jsonl make bench NAME=frontier  # one's own

`bench/trial.py` explains those files. All policies answer the same held-out questions through the same service, in one
run. Policies that need only the answers of the small and the large model alone (routing whole questions, judging whole
answers) are computed from those answers, with the best threshold for these questions. The curves of policies that
switch in mid-answer have one point per worth of a right answer. For other detectors, and for ours with something
removed, telemetry gets other calibrations while the service runs. All of them are fitted to the same traces, as
`ghostrouter calibrate` does. Ours has the learned detector if the served calibration has it. An ablation that removes
something that ours does not have is not measured again.

`area_ghost_less_<policy>_low` and `_high` are the bounds of the 95% interval of the difference in area, over resampled
questions. Both curves have the same number of points: an ablation is measured at fewer worths.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import pyplot
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from bench.curves import Alone, Curve, Floats, Point, Written, area, area_lost, gap_recovered, swept, switched
from bench.seeds import SEED, SEEDS, summarised
from bench.service import ROOT, Answer, Client, recalibrate, running, write
from bench.trial import Asked, Trial, drawn, from_environment
from ghostrouter.classify.encoder import sentence_encoder
from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000, fit
from ghostrouter.errors import GhostRouterError
from ghostrouter.signals.entropy import bounds

N = int(os.environ.get("N", "60"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "4"))
TRAIN = int(os.environ.get("TRAIN", "1000"))
# What a right answer is worth, in tokens of the large model.
WORTHS_TOKENS = (20, 40, 100, 300, 1000, 10_000)
ABLATION_WORTHS_TOKENS = (40, 300, 10_000)
# Over so many tokens what the log-probabilities of the API leave may spread, where it does not tell the entropy.
VOCABULARY = 100_000
RIVALS = ("first_of_step", "window")
ABLATIONS = ("no_rollback", "onset_rollback", "no_hand_back", "level_only", "hazard")
RANDOM_SHARES = (0.1, 0.25, 0.5)
RANDOM_RUN_TOKENS = 12


class Outcome(NamedTuple):
    """The outcome of all questions at one setting."""

    written: Written
    point: Point
    dropped_share: float
    handoffs: float


def outcome(trial: Trial, answers: Sequence[Answer]) -> Outcome:
    """The outcome of answers written by the service. Tokens that a rollback dropped count as written."""
    tokens = {trial.small: np.zeros(len(answers)), trial.large: np.zeros(len(answers))}
    dropped = 0
    for i, answer in enumerate(answers):
        segments = answer.ghost["segments"]
        more = [s["rollback_tokens"] for s in segments[1:]] + [0]
        for segment, extra in zip(segments, more, strict=True):
            tokens[segment["model"]][i] += segment["tokens"] + extra
        dropped += sum(more)
    written = Written(tokens[trial.small], tokens[trial.large], correct(trial.asked, answers))
    return Outcome(
        written,
        written.point(np.arange(len(answers))),
        dropped / float((written.small + written.large).sum()),
        statistics.fmean(a.ghost["handoffs"] for a in answers),
    )


def correct(asked: Sequence[Asked], answers: Sequence[Answer]) -> Floats:
    """1 for a right answer, 0 for a wrong one."""
    return np.array([q.is_right(a.text) for q, a in zip(asked, answers, strict=True)], float)


def alone(asked: Sequence[Asked], answers: Sequence[Answer]) -> Alone:
    return Alone(np.array([a.completion_tokens for a in answers], float), correct(asked, answers))


def entropies(answer: Answer) -> list[float]:
    """The entropy of each token in nats, if the API sends it; else an upper bound from its log-probabilities."""
    return [
        float(entry["entropy_nats"])
        if "entropy_nats" in entry
        else bounds([t["logprob"] for t in entry["top_logprobs"]], VOCABULARY).upper_nats
        for entry in answer.logprobs
    ]


def query_scores(asked: Sequence[Asked], small_right: Floats) -> Floats:
    """The probability that small is wrong, from the question alone: cross-validated logistic regression on embeddings.

    If small is almost never wrong, or almost never right, there is nothing to learn: all questions get the same score.
    """
    wrong = small_right == 0
    folds = int(min(5, wrong.sum(), (~wrong).sum()))
    if folds < 2:
        return np.zeros(len(wrong))
    embeddings = sentence_encoder("all-MiniLM-L6-v2")([q.prompt for q in asked])[:, -1]
    regression = LogisticRegression(max_iter=1000)
    scores: Floats = cross_val_predict(regression, embeddings, wrong, cv=folds, method="predict_proba")[:, 1]
    return scores


def random_script(rng: random.Random, tokens: int, share: float, small: str, large: str) -> list[dict[str, Any]]:
    """A script of runs of large at random places. They make up a share of an answer with this number of tokens."""
    gap = RANDOM_RUN_TOKENS * (1 - share) / share
    script: list[dict[str, Any]] = []
    at = rng.uniform(1, 2 * gap)
    while at < tokens and len(script) < 62:
        script.append({"after_tokens": max(1, round(at)), "to": large})
        at += RANDOM_RUN_TOKENS
        script.append({"after_tokens": round(at), "to": small})
        at += max(1.0, rng.uniform(0, 2 * gap))
    return script


def calibrations(trial: Trial) -> tuple[dict[str, Calibration], dict[str, dict[str, Calibration]]]:
    """Our calibrations by model, and those that replace them, by policy: other detectors, and ours with one change."""

    def fitted(detector: str | None = None) -> Calibration:
        told = f"{len(trial.traces)} traces"
        return fit(trial.small, trial.traces, FALSE_ALARMS_PER_1000, told, detector).calibration

    served = trial.calibrations.get(trial.small)
    ours = {**trial.calibrations, trial.small: fitted(served.hazard.name if served and served.hazard.trees else None)}
    changed = {
        **{name: {trial.small: fitted(name)} for name in RIVALS},
        "no_rollback": {trial.small: ours[trial.small].model_copy(update={"rollback": "alarm"})},
        "onset_rollback": {trial.small: ours[trial.small].model_copy(update={"rollback": "onset"})},
        "level_only": {trial.small: fitted("level")},
        "hazard": {trial.small: fitted("hazard")},
        "no_hand_back": {name: c.model_copy(update={"calm_tokens": 1_000_000}) for name, c in ours.items()},
    }
    return ours, {name: ours | change for name, change in changed.items()}


async def scripted(client: Client, trial: Trial, tokens: Floats, share: float) -> list[Answer]:
    """Switching at random places, whatever the tokens are."""
    rng = random.Random(SEED)
    scripts = [random_script(rng, int(n), share, trial.small, trial.large) for n in tokens]
    preferences = [{"switch": "failure_only", "handoffs": script} for script in scripts]
    return await asyncio.gather(
        *(
            client.ask([{"role": "user", "content": q.prompt}], model="ghost/auto", temperature=0, ghost=wish)
            for q, wish in zip(trial.asked, preferences, strict=True)
        )
    )


class Asker:
    """Asks all questions at several worths, with other calibrations."""

    def __init__(self, client: Client, trial: Trial, folder: Path) -> None:
        self._client = client
        self._trial = trial
        self._folder = folder

    async def curve(
        self, name: str, worths_tokens: Sequence[int], judges: Mapping[str, Calibration]
    ) -> dict[int, Outcome]:
        """The outcomes by worth in tokens."""
        files = {model: str(self._folder / f"{name}.{model}.json") for model in judges}
        for model, calibration in judges.items():
            calibration.save(Path(files[model]))
        await recalibrate(self._trial.config, files)
        prompts, found = [q.prompt for q in self._trial.asked], {}
        for worth in worths_tokens:
            wish = {"quality_usd": worth * self._trial.token_usd}
            answers = await self._client.ask_all(prompts, model="ghost/auto", temperature=0, ghost=wish)
            found[worth] = outcome(self._trial, answers)
            print(f"  {name} at {worth} tokens: {found[worth].point}", flush=True)
        return found


async def measure(trial: Trial, url: str) -> dict[str, Any]:
    prompts = [q.prompt for q in trial.asked]
    ours, others = calibrations(trial)
    async with Client(url, CONCURRENCY) as client:
        own = await client.ask_all(prompts, model=trial.small, temperature=0, logprobs=True, top_logprobs=20)
        small = alone(trial.asked, own)
        large = alone(trial.asked, await client.ask_all(prompts, model=trial.large, temperature=0))
        print(f"  small {small.right.mean():.3f}, large {large.right.mean():.3f}", flush=True)
        random_runs = [outcome(trial, await scripted(client, trial, large.tokens, share)) for share in RANDOM_SHARES]
        with tempfile.TemporaryDirectory() as folder:
            asker = Asker(client, trial, Path(folder))
            curves = {"ghost": await asker.curve("ghost", WORTHS_TOKENS, ours)}
            for name, judges in others.items():
                worths = ABLATION_WORTHS_TOKENS if name in ABLATIONS else WORTHS_TOKENS
                if judges == ours:
                    curves[name] = {worth: curves["ghost"][worth] for worth in worths}
                else:
                    curves[name] = await asker.curve(name, worths, judges)
    return summarise(trial, own, small, large, random_runs, curves) | {
        "detector": ours[trial.small].hazard.name,
        "rollback": ours[trial.small].rollback,
    }


async def measure_ours(trial: Trial, url: str, seed: int) -> dict[str, Any]:
    """The share of the gap that ours recovers, without the other policies."""
    prompts = [q.prompt for q in trial.asked]
    async with Client(url, CONCURRENCY) as client:
        small = alone(trial.asked, await client.ask_all(prompts, model=trial.small, temperature=0))
        large = alone(trial.asked, await client.ask_all(prompts, model=trial.large, temperature=0))
        with tempfile.TemporaryDirectory() as folder:
            found = await Asker(client, trial, Path(folder)).curve("ghost", WORTHS_TOKENS, calibrations(trial)[0])
    low, high = float(small.right.mean()), float(large.right.mean())
    points = [o.point for o in found.values()]
    middle = min(found.values(), key=lambda o: abs(o.point.share - 0.25))
    return {
        "gap_recovered_at_25pct": gap_recovered(points, 0.25, low, high),
        "gap_recovered_at_10pct": gap_recovered(points, 0.10, low, high),
        "area_ghost": area(points, low, high),
        "wasted_tokens_share": middle.dropped_share,
        "handoffs_per_answer_near_25pct": middle.handoffs,
        "accuracy_small": low,
        "accuracy_large": high,
        "curve_ghost": points,
        "n": len(trial.asked),
        "seed": seed,
    }


def summarise(
    trial: Trial,
    written: Sequence[Answer],
    small: Alone,
    large: Alone,
    random_runs: Sequence[Outcome],
    found: Mapping[str, Mapping[int, Outcome]],
) -> dict[str, Any]:
    """The figures as one flat mapping, and the curves. Draws the curves too."""
    asked = trial.asked
    of_token = [entropies(a) for a in written]
    curves: dict[str, Curve] = {
        "random": switched([o.written for o in random_runs]),
        **{name: switched([o.written for o in outcomes.values()]) for name, outcomes in found.items()},
        "query": swept(query_scores(asked, small.right), small, large, cascade=False),
        "cascade_max": swept(np.array([max(e) for e in of_token]), small, large, cascade=True),
        "cascade_mean": swept(np.array([statistics.fmean(e) for e in of_token]), small, large, cascade=True),
    }
    points = {name: curve(np.arange(len(asked))) for name, curve in curves.items()}
    low, high = float(small.right.mean()), float(large.right.mean())
    draw(trial.name, {name: found for name, found in points.items() if name not in ABLATIONS}, low, high)
    middle = min(found["ghost"].values(), key=lambda o: abs(o.point.share - 0.25))
    return {
        **{f"area_{name}": area(of, low, high) for name, of in points.items()},
        **lead(curves, switched([found["ghost"][worth].written for worth in ABLATION_WORTHS_TOKENS]), small, large),
        "gap_recovered_at_25pct": gap_recovered(points["ghost"], 0.25, low, high),
        "gap_recovered_at_10pct": gap_recovered(points["ghost"], 0.10, low, high),
        "wasted_tokens_share": middle.dropped_share,
        "handoffs_per_answer_near_25pct": middle.handoffs,
        "accuracy_small": low,
        "accuracy_large": high,
        "worths_usd": [worth * trial.token_usd for worth in WORTHS_TOKENS],
        "n": len(asked),
        "seed": SEED,
        **{f"curve_{name}": of for name, of in points.items()},
    }


def lead(curves: Mapping[str, Curve], ours_at_few: Curve, small: Alone, large: Alone) -> dict[str, float]:
    """The lead of our area over that of each policy, with intervals."""
    everything, low, high = np.arange(len(small.right)), float(small.right.mean()), float(large.right.mean())
    found = {"area_ghost_at_ablation_worths": area(ours_at_few(everything), low, high)}
    for name, curve in curves.items():
        if name != "ghost":
            ours = ours_at_few if name in ABLATIONS else curves["ghost"]
            key = f"area_ghost_less_{name}"
            found[key] = area(ours(everything), low, high) - area(curve(everything), low, high)
            found[f"{key}_low"], found[f"{key}_high"] = area_lost(ours, curve, small, large)
    return found


def draw(name: str, points: dict[str, list[Point]], small: float, large: float) -> None:
    """Draw docs/NAME.svg and docs/NAME.png."""
    matplotlib.use("agg")
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for policy, found in sorted(points.items(), key=lambda item: item[0] == "ghost"):
        ours = policy == "ghost"
        shares, accuracies = zip(*sorted(found), strict=True)
        marker = "o" if policy in ("ghost", "random", *RIVALS) else ""
        axes.plot(shares, accuracies, label=policy, marker=marker, lw=2.5 if ours else 1.2, zorder=3 if ours else 2)
    axes.scatter([0, 1], [small, large], color="black", zorder=4)
    axes.set(xlabel="share of tokens written by the large model", ylabel="right answers", xlim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    for ending in ("svg", "png"):
        figure.savefig(
            ROOT / "docs" / f"{name}.{ending}", dpi=150, metadata={"Date": None} if ending == "svg" else None
        )


def main() -> None:
    try:
        trial = from_environment(N, SEED, TRAIN)
    except GhostRouterError as error:
        sys.exit(str(error))
    if len(SEEDS) > 1 and "CONFIG" in os.environ:
        sys.exit("SEEDS draws shipped questions: leave it out with CONFIG")
    with running(trial.config, trial.url) as url:
        if len(SEEDS) == 1:
            write(trial.name, asyncio.run(measure(trial, url)))
        else:
            trials = [replace(trial, asked=drawn(N, seed)) for seed in SEEDS]
            runs = [asyncio.run(measure_ours(t, url, seed)) for t, seed in zip(trials, SEEDS, strict=True)]
            write(f"{trial.name}_seeds", summarised(runs))


if __name__ == "__main__":
    main()
