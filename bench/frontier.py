"""Accuracy against the share of large-model tokens: switching in mid-answer beside everything else one could do.

    make bench NAME=frontier [SEED=1] [N=60] [CONCURRENCY=4] [TRAIN=1000]

All policies answer the same held-out questions through the same service, in one run. What answers of small and large
alone are enough for (routing whole questions, judging whole answers) is computed from those, with the threshold that is
best on these very questions. The curves of policies that switch in mid-answer come from several worths of a right
answer; other detectors than ours, and ours with something taken away, are put in place by handing telemetry other
calibrations, live. All of them are fitted to the same traces, as `ghostrouter calibrate` does it. An ablation that
takes away what ours does not have was measured with ours already and is not asked again.

`area_ghost_less_<policy>_low` and `_high`: in 95% of the resamples of the questions ours is ahead by something between
them. Ours has as many points there as the policy: an ablation is measured at fewer worths.
"""

import asyncio
import json
import os
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import pyplot
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from bench.curves import Alone, Curve, Floats, Point, Written, area, area_lost, gap_recovered, swept, switched
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
ABLATIONS = ("no_rollback", "onset_rollback", "no_hand_back", "level_only", "hazard")
RANDOM_SHARES = (0.1, 0.25, 0.5)
RANDOM_RUN_TOKENS = 12


class Outcome(NamedTuple):
    """What came of all questions at one setting."""

    written: Written
    point: Point
    dropped_share: float
    handoffs: float


def outcome(asked: Sequence[questions.Question], answers: Sequence[Answer]) -> Outcome:
    """Of answers that were written through the graph. Tokens that a rollback dropped count as written."""
    tokens = {SMALL: np.zeros(len(answers)), LARGE: np.zeros(len(answers))}
    dropped = 0
    for i, answer in enumerate(answers):
        segments = answer.ghost["segments"]
        more = [s["rollback_tokens"] for s in segments[1:]] + [0]
        for segment, extra in zip(segments, more, strict=True):
            tokens[segment["model"]][i] += segment["tokens"] + extra
        dropped += sum(more)
    written = Written(tokens[SMALL], tokens[LARGE], correct(asked, answers))
    return Outcome(
        written,
        written.point(np.arange(len(answers))),
        dropped / float((written.small + written.large).sum()),
        statistics.fmean(a.ghost["handoffs"] for a in answers),
    )


def correct(asked: Sequence[questions.Question], answers: Sequence[Answer]) -> Floats:
    """1 for a right answer, 0 for a wrong one."""
    return np.array([questions.is_correct(q, a.text) for q, a in zip(asked, answers, strict=True)], float)


def alone(asked: Sequence[questions.Question], answers: Sequence[Answer]) -> Alone:
    return Alone(np.array([a.completion_tokens for a in answers], float), correct(asked, answers))


def entropies(answer: Answer, vocabulary: int) -> list[float]:
    """An upper bound of the entropy of each token, in nats, from the log-probabilities the API gives."""
    return [bounds([t["logprob"] for t in entry["top_logprobs"]], vocabulary).upper_nats for entry in answer.logprobs]


def query_scores(asked: Sequence[questions.Question], small_right: Floats) -> Floats:
    """How likely small is wrong by the question alone: logistic regression on embeddings, cross-validated."""
    embeddings = sentence_encoder("all-MiniLM-L6-v2")([q.prompt for q in asked])[:, -1]
    regression = LogisticRegression(max_iter=1000)
    scores: Floats = cross_val_predict(regression, embeddings, small_right == 0, cv=5, method="predict_proba")[:, 1]
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


def shipped() -> dict[str, str]:
    """The calibration files of the shipped models."""
    return {name: str(ROOT / "models" / name / "calibration.json") for name in (SMALL, LARGE)}


def fit_to(traces: Sequence[Trace], detector: str | None = None) -> Calibration:
    """What `ghostrouter calibrate` makes of small's traces."""
    return fit(SMALL, traces, FALSE_ALARMS_PER_1000, f"{TRAIN} validation questions, forced view", detector).calibration


def calibrations() -> tuple[dict[str, Calibration], dict[str, dict[str, Calibration]]]:
    """Ours by model; and by policy what is in their place: the rivals, and ours with something else or without it."""
    recorder = Recorder(ROOT / "models" / SMALL)
    traces = [as_trace(line) for line in recorder.forced(questions.sample("validation", 1, TRAIN))]
    ours = {SMALL: fit_to(traces), LARGE: Calibration.load(Path(shipped()[LARGE]))}
    changed = {
        **{name: {SMALL: fit_to(traces, name)} for name in RIVALS},
        "no_rollback": {SMALL: ours[SMALL].model_copy(update={"rollback": "alarm"})},
        "onset_rollback": {SMALL: ours[SMALL].model_copy(update={"rollback": "onset"})},
        "level_only": {SMALL: fit_to(traces, "level")},
        "hazard": {SMALL: fit_to(traces, "hazard")},
        "no_hand_back": {LARGE: ours[LARGE].model_copy(update={"calm_tokens": 1_000_000})},
    }
    return ours, {name: ours | change for name, change in changed.items()}


async def scripted(client: Client, prompts: Sequence[str], tokens: Floats, share: float) -> list[Answer]:
    """Switching at random places, whatever the tokens look like."""
    rng = random.Random(SEED)
    scripts = [{"switch": "failure_only", "handoffs": random_script(rng, int(n), share)} for n in tokens]
    asked = zip(prompts, scripts, strict=True)
    return await asyncio.gather(
        *(client.ask([{"role": "user", "content": p}], model="ghost/auto", temperature=0, ghost=s) for p, s in asked)
    )


class Asker:
    """Asks all questions at several worths, judged by other calibrations."""

    def __init__(self, client: Client, asked: Sequence[questions.Question], folder: Path) -> None:
        self._client = client
        self._asked = asked
        self._folder = folder

    async def curve(
        self, name: str, worths_usd: Sequence[float], judges: Mapping[str, Calibration]
    ) -> dict[float, Outcome]:
        """What comes of it, by worth."""
        files = {model: str(self._folder / f"{name}.{model}.json") for model in judges}
        for model, calibration in judges.items():
            calibration.save(Path(files[model]))
        await recalibrate(CONFIG, files)
        prompts, found = [q.prompt for q in self._asked], {}
        for usd in worths_usd:
            answers = await self._client.ask_all(prompts, model="ghost/auto", temperature=0, ghost={"quality_usd": usd})
            found[usd] = outcome(self._asked, answers)
            print(f"  {name} at {usd} USD: {found[usd].point}", flush=True)
        return found


async def measure(url: str) -> dict[str, Any]:
    asked = questions.sample("test", SEED, N)
    prompts = [q.prompt for q in asked]
    ours, others = calibrations()
    async with Client(url, CONCURRENCY) as client:
        own = await client.ask_all(prompts, model=SMALL, temperature=0, logprobs=True, top_logprobs=20)
        small = alone(asked, own)
        large = alone(asked, await client.ask_all(prompts, model=LARGE, temperature=0))
        print(f"  small {small.right.mean():.3f}, large {large.right.mean():.3f}", flush=True)
        random_runs = [outcome(asked, await scripted(client, prompts, large.tokens, share)) for share in RANDOM_SHARES]
        with tempfile.TemporaryDirectory() as folder:
            asker = Asker(client, asked, Path(folder))
            curves = {"ghost": await asker.curve("ghost", WORTHS_USD, ours)}
            for name, judges in others.items():
                worths = ABLATION_WORTHS_USD if name in ABLATIONS else WORTHS_USD
                if judges == ours:
                    curves[name] = {usd: curves["ghost"][usd] for usd in worths}
                else:
                    curves[name] = await asker.curve(name, worths, judges)
    return summarise(asked, own, small, large, random_runs, curves) | {
        "detector": ours[SMALL].hazard.name,
        "rollback": ours[SMALL].rollback,
    }


def summarise(
    asked: Sequence[questions.Question],
    written: Sequence[Answer],
    small: Alone,
    large: Alone,
    random_runs: Sequence[Outcome],
    found: Mapping[str, Mapping[float, Outcome]],
) -> dict[str, Any]:
    """The figures, flat, and the curves; draws them too."""
    vocabulary = json.loads((ROOT / "models" / SMALL / "config.json").read_text())["vocab_size"]
    of_token = [entropies(a, vocabulary) for a in written]
    curves: dict[str, Curve] = {
        "random": switched([o.written for o in random_runs]),
        **{name: switched([o.written for o in outcomes.values()]) for name, outcomes in found.items()},
        "query": swept(query_scores(asked, small.right), small, large, cascade=False),
        "cascade_max": swept(np.array([max(e) for e in of_token]), small, large, cascade=True),
        "cascade_mean": swept(np.array([statistics.fmean(e) for e in of_token]), small, large, cascade=True),
    }
    points = {name: curve(np.arange(len(asked))) for name, curve in curves.items()}
    low, high = float(small.right.mean()), float(large.right.mean())
    draw({name: found for name, found in points.items() if name not in ABLATIONS}, low, high)
    middle = min(found["ghost"].values(), key=lambda o: abs(o.point.share - 0.25))
    return {
        **{f"area_{name}": area(of, low, high) for name, of in points.items()},
        **lead(curves, switched([found["ghost"][usd].written for usd in ABLATION_WORTHS_USD]), small, large),
        "gap_recovered_at_25pct": gap_recovered(points["ghost"], 0.25, low, high),
        "gap_recovered_at_10pct": gap_recovered(points["ghost"], 0.10, low, high),
        "wasted_tokens_share": middle.dropped_share,
        "handoffs_per_answer_near_25pct": middle.handoffs,
        "accuracy_small": low,
        "accuracy_large": high,
        "worths_usd": list(WORTHS_USD),
        "n": len(asked),
        "seed": SEED,
        **{f"curve_{name}": of for name, of in points.items()},
    }


def lead(curves: Mapping[str, Curve], ours_at_few: Curve, small: Alone, large: Alone) -> dict[str, float]:
    """By how much the area of ours is ahead of each policy, with intervals."""
    everything, low, high = np.arange(len(small.right)), float(small.right.mean()), float(large.right.mean())
    found = {"area_ghost_at_ablation_worths": area(ours_at_few(everything), low, high)}
    for name, curve in curves.items():
        if name != "ghost":
            ours = ours_at_few if name in ABLATIONS else curves["ghost"]
            key = f"area_ghost_less_{name}"
            found[key] = area(ours(everything), low, high) - area(curve(everything), low, high)
            found[f"{key}_low"], found[f"{key}_high"] = area_lost(ours, curve, small, large)
    return found


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
