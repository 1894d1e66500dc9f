"""When should an answer change hands? The value function with calibrated detectors against a learned stopping policy.

    make bench NAME=stopping [SEEDS=3] [TRAIN=600] [N=300] [REAL=../shared/data/real/cotuq_svamp_cod.jsonl]

All policies are set up on the same traces, and play the same held-out ones; all see the same tokens. The value function
(`value`) hands over if the calibrated risk times the worth of a right answer exceeds the cost of a handoff, as
`policy/verdict_limits.py` does: the large model is assumed to write a whole step, or a whole answer. `rest` assumes
that it writes what is left of the step at a mean error, or what is left of an answer of mean length.
`learned` is `bench/optimal_stopping.py`. An answer's net worth is that of a right answer, in tokens of the large model,
less the tokens that this model wrote. `net_*` is its mean over questions. `*_lead_P` is the net worth of policy P less
that of the value function, as a share of a right answer's worth: the mean over all worths and seeds, with the 95%
interval over resampled questions; `*_lead_P_W` is that at the worth W. Below zero the value function is better.

`shipped`: the forced view of ghost-small (`models/traces.py`), which shows at each token of the right answer what the
model would write. After a handoff the large model writes the rest of the step, and hands back. A wrong token that gets
through loses the answer. The large model is assumed to be right; it is, for all these questions.

`real`: answers of Llama-3.1-8B whose right or wrong is known, but not where (CoT-UQ). No larger model has continued
them. So the shares of wrong answers that a handoff still rescues are assumed: those of 13 answers of Qwen 0.5B that
1.5B continued after a quarter, a half and three quarters. The value function is told this assumption.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.optimal_stopping import Array, Bools, Episode, learned
from bench.seeds import SEED
from bench.service import write
from ghostrouter.confidence_intervals import interval
from ghostrouter.config import Sessions
from ghostrouter.detect import answer_fit, prefix_training, training
from ghostrouter.detect.answer_risk import AnswerRisk, Rescue
from ghostrouter.detect.calibration import Risk
from ghostrouter.detect.detector import scan_answers
from ghostrouter.detect.fit import FALSE_ALARMS_PER_1000, fit
from ghostrouter.detect.prefix_model import PrefixModel
from ghostrouter.money import Price, Worth
from ghostrouter.policy.switch import Change, hand_off_at
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.traces.read import as_trace, read
from ghostrouter.traces.trace import Trace, split
from models import questions
from models.traces import FOLDER, TraceRecorder

SEEDS = range(SEED, SEED + int(os.environ.get("SEEDS", "3")))
TRAIN = int(os.environ.get("TRAIN", "600"))
N = int(os.environ.get("N", "300"))
REAL = Path(os.environ.get("REAL", "../shared/data/real/cotuq_svamp_cod.jsonl"))
# What a right answer is worth, in tokens of the large model.
WORTHS_TOKENS = (20, 40, 100, 300, 1000)
POLICIES = ("value", "rest", "learned")
DRAWS = 1000
_TOKEN_USD = 1e-6
_STEP_START = COLUMNS.index("step_start")
# Share of the answer that is written, and the share of wrong answers that the larger model still puts right from there.
_WRITTEN = (0.0, 0.25, 0.5, 0.75)
_RESCUED = (1.0, 8 / 13, 3 / 13, 2 / 13)

Floats = npt.NDArray[np.float32]


class Played(NamedTuple):
    """The outcome of one answer: P(right), and the tokens that the large model wrote."""

    right: float
    large_tokens: float


class Outcome(NamedTuple):
    """All answers of a policy at one worth."""

    played: list[Played]

    def net(self, worth: float) -> Array:
        """The net worth of each answer, of shape (answers,)."""
        return np.array([p.right * worth - p.large_tokens for p in self.played])


def threshold(worth: float, run_tokens: float) -> float:
    """The risk from which on the value function hands over, for a worth and a run in tokens of the large model."""
    large = Price(completion_usd_per_mtok=1e6 * _TOKEN_USD)
    at = hand_off_at(Change(Price(), large, 0, run_tokens, 0.0), Worth(worth * _TOKEN_USD))
    assert at is not None, "a right answer has a worth here"
    return at


# --- the shipped model: where it goes wrong is known


def step_ends(trace: Trace) -> npt.NDArray[np.int64]:
    """For each token the first token of the next step; the number of tokens if there is none."""
    count = len(trace.signals)
    starts = np.append(np.flatnonzero(trace.signals[:, _STEP_START] > 0), count)
    return starts[np.searchsorted(starts, np.arange(count), side="right")]


def wrong_tokens(trace: Trace) -> Bools:
    out = np.zeros(len(trace.signals), bool)
    for begin, end in trace.spans:
        out[begin:end] = True
    return out


def episode(trace: Trace, worth: float) -> Episode:
    """A handoff costs the tokens to the end of the step; then the small model writes again."""
    ends = step_ends(trace)
    return Episode(-(ends - np.arange(len(ends))).astype(float), ends, wrong_tokens(trace), worth)


def play(trace: Trace, stops: Bools, most_changes: int) -> Played:
    """What a policy makes of a trace. The last handoff that is allowed is for good, as in `policy/switch.py`."""
    wrong, ends, t, changes, written = wrong_tokens(trace), step_ends(trace), 0, 0, 0
    while t < len(stops):
        if stops[t] and changes < most_changes:
            back = changes + 2 < most_changes
            until = int(ends[t]) if back else len(stops)
            written += until - t
            changes, t = changes + 2, until
        elif wrong[t]:
            return Played(0.0, written)
        else:
            t += 1
    return Played(1.0, written)


def context(traces: Sequence[Trace]) -> Floats:
    """The rolling features of every token, with its position, its place in its step, and the number of its step."""
    rows = []
    for trace in traces:
        starts = trace.signals[:, _STEP_START] > 0
        at = np.arange(len(starts))
        begun = np.maximum.accumulate(np.where(starts, at, 0))
        rows.append(np.stack([at, at - begun, np.cumsum(starts)], 1))
    return np.hstack([training.features(traces), np.concatenate(rows)]).astype(np.float32)


def shipped(seed: int) -> tuple[dict[str, list[Outcome]], list[str]]:
    """Outcomes by policy, one per worth, and the group of each answer."""
    recorder = TraceRecorder(FOLDER / "ghost-small")
    train = [as_trace(line) for line in recorder.forced(questions.sample("validation", seed, TRAIN))]
    known = {t.group for t in train}
    test = [as_trace(line) for line in recorder.forced(questions.sample("test", seed, N))]
    test = [t for t in test if t.group not in known]
    calibration = fit("ghost-small", train, FALSE_ALARMS_PER_1000, f"{len(train)} traces").calibration
    assert calibration.remainder is not None, "some of these answers are wrong"
    risk, x, seen = Risk(calibration), context(train), context(test)

    def risks(traces: Sequence[Trace]) -> list[Array]:
        out = np.empty(sum(len(t.signals) for t in traces))
        scan_answers(risk.step, risk.width, [t.signals for t in traces], out)
        return split(out, traces)

    own, held = risks(train), risks(test)
    rest = np.mean([step_ends(t)[t.onset] - t.onset for t in train if t.onset is not None])
    found: dict[str, list[Outcome]] = {policy: [] for policy in POLICIES}
    for worth in WORTHS_TOKENS:
        at = threshold(worth, calibration.remainder.tokens_per_step)
        low = threshold(worth, float(rest))
        policy = learned(x, [episode(t, worth) for t in train], [r >= at for r in own], seed)
        stops = {
            "value": [r >= at for r in held],
            "rest": [r >= low for r in held],
            "learned": split(policy(seen), test),
        }
        for name, of in stops.items():
            rules = Sessions().max_handoffs
            found[name].append(Outcome([play(t, s, rules) for t, s in zip(test, of, strict=True)]))
    return found, [t.group for t in test]


# --- real answers: only whether they are wrong is known


def rescued(trace: Trace) -> Array:
    """P(right) of the answer if it is handed over before each token, of shape (tokens,)."""
    at = np.arange(len(trace.signals)) / len(trace.signals)
    shares = np.interp(at, _WRITTEN, _RESCUED)
    return shares if trace.wrong else np.ones(len(at))


def real_episode(trace: Trace, worth: float) -> Episode:
    """A handoff is for good: the large model writes the rest."""
    count = len(trace.signals)
    finished = 0.0 if trace.wrong else worth
    left = count - np.arange(count)
    # The end earns `finished` after a handoff too, so that stopping earns the difference.
    return Episode(rescued(trace) * worth - left - finished, np.full(count, count), np.zeros(count, bool), finished)


def play_real(trace: Trace, stops: Bools) -> Played:
    if not stops.any():
        return Played(float(not trace.wrong), 0.0)
    at = int(stops.argmax())
    return Played(float(rescued(trace)[at]), float(len(stops) - at))


def real(seed: int) -> tuple[dict[str, list[Outcome]], list[str]]:
    """The same for real answers: half of the questions to learn from, half to play."""
    traces = read(REAL)
    groups = sorted({t.group for t in traces})
    mine = set(np.random.default_rng(seed).permutation(groups)[: len(groups) // 2].tolist())
    train, test = ([t for t in traces if (t.group in mine) == side] for side in (True, False))
    rng = np.random.default_rng(seed)
    train = [train[i] for i in rng.permutation(len(train))[:TRAIN]]
    risk = with_rescue(answer_fit.fit(train, 5.0).risk)
    x, seen = prefix_training.features(train), prefix_training.features(test)
    own, held = (
        split(PrefixModel(risk.weights).risk(f) * worth_saving(risk, t), t) for f, t in ((x, train), (seen, test))
    )
    found: dict[str, list[Outcome]] = {policy: [] for policy in POLICIES}
    for worth in WORTHS_TOKENS:
        at = threshold(worth, risk.tokens)
        falling = np.array([threshold(worth, max(1.0, risk.tokens - i)) for i in range(max(map(len, held)))])
        policy = learned(x, [real_episode(t, worth) for t in train], [r >= at for r in own], seed)
        stops = {
            "value": [r >= at for r in held],
            "rest": [r >= falling[: len(r)] for r in held],
            "learned": split(policy(seen), test),
        }
        for name, of in stops.items():
            found[name].append(Outcome([play_real(t, s) for t, s in zip(test, of, strict=True)]))
    return found, [t.group for t in test]


def with_rescue(risk: AnswerRisk) -> AnswerRisk:
    """The same risk, told the assumed shares, at the positions in an answer of mean length."""
    rescue = Rescue(tokens=tuple(round(share * risk.tokens) for share in _WRITTEN), share=_RESCUED)
    return risk.model_copy(update={"rescue": rescue})


def worth_saving(risk: AnswerRisk, traces: Sequence[Trace]) -> Array:
    """The assumed share of rescues at each token of all traces, as the value function sees it."""
    assert risk.rescue is not None, "it was told"
    return np.array([risk.rescue.at(i) for t in traces for i in range(len(t.signals))])


# --- both


def measure(name: str, run: Callable[[int], tuple[dict[str, list[Outcome]], list[str]]]) -> dict[str, Any]:
    """The figures over all seeds and worths."""
    groups: list[str] = []
    played: dict[str, list[list[Played]]] = {policy: [[] for _ in WORTHS_TOKENS] for policy in POLICIES}
    for seed in SEEDS:
        found, of = run(seed)
        groups += of
        for policy, outcomes in found.items():
            for rows, outcome in zip(played[policy], outcomes, strict=True):
                rows += outcome.played
        print(f"  {name}, seed {seed}: {len(of)} answers", flush=True)
    out: dict[str, Any] = {f"{name}_n": len(groups)}
    nets: dict[str, list[Array]] = {}
    for policy, by_worth in played.items():
        nets[policy] = [Outcome(rows).net(worth) / worth for worth, rows in zip(WORTHS_TOKENS, by_worth, strict=True)]
        for worth, rows, net in zip(WORTHS_TOKENS, by_worth, nets[policy], strict=True):
            out[f"{name}_net_{policy}_{worth}"] = float(net.mean()) * worth
            out[f"{name}_accuracy_{policy}_{worth}"] = float(np.mean([p.right for p in rows]))
            out[f"{name}_large_tokens_{policy}_{worth}"] = float(np.mean([p.large_tokens for p in rows]))
    for policy in ("rest", "learned"):
        gains = [new - old for new, old in zip(nets[policy], nets["value"], strict=True)]
        out |= lead(f"{name}_lead_{policy}", np.mean(gains, 0), groups)
        for worth, gain in zip(WORTHS_TOKENS, gains, strict=True):
            out |= lead(f"{name}_lead_{policy}_{worth}", gain, groups)
    return out | lead(f"{name}_learned_over_rest", np.mean(nets["learned"], 0) - np.mean(nets["rest"], 0), groups)


def lead(name: str, gain: Array, groups: Sequence[str]) -> dict[str, float]:
    """The mean of a gain per answer, with its interval."""
    return interval(lambda rows: float(gain[rows].mean()), groups, DRAWS).named(name)


def main() -> None:
    found = measure("shipped", shipped)
    if REAL.is_file():
        found |= measure("real", real)
    write("stopping", found | {"seeds": list(SEEDS), "train": TRAIN})


if __name__ == "__main__":
    main()
