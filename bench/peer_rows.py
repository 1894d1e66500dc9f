"""From the answers of one measurement to a row of figures, and from the rows of all rounds to the result."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.arrivals import problem
from bench.load import Loaded

Row = dict[str, float]
# Lane, peer, clients: one row for each round.
Rows = Mapping[tuple[str, str, int], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its right answer. `text` None: any text of so many tokens is right."""

    body: dict[str, Any]
    text: str | None
    tokens: int
    finish: str = "stop"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row_of(loaded: Loaded, asked: Sequence[Asked], cpu_s: float, top_logprobs: int = 0) -> tuple[Row, list[str]]:
    """The figures of one measurement, and what was wrong with the answers that are counted as errors.

    An answer is counted by the share of its text that came while it was measured. A text that differs is no error: two
    tokens as good as equally likely change places with the size of a batch. It is counted by itself.

    Raises:
        RuntimeError: no answer is right, so there is nothing to measure.
    """
    begin_s, end_s = loaded.begin_s, loaded.end_s
    problems = [problem(a, None, asked[n].finish, top_logprobs) for n, a in loaded.answers]
    right = [(n, a) for (n, a), wrong in zip(loaded.answers, problems, strict=True) if not wrong and a.pieces]
    same = [a.text == asked[n].text or asked[n].text is None for n, a in right]
    counts = [a.completion_tokens == asked[n].tokens for n, a in right]
    if not right:
        raise RuntimeError(f"no answer is right: {problems[:1]}")
    wrong = [p for p in problems if p] + [
        f"{a.completion_tokens} tokens instead of {asked[n].tokens}"
        for (n, a), text, count in zip(right, same, counts, strict=True)
        if text and not count
    ]
    shares = [(a.share_between(begin_s, end_s), a.completion_tokens or asked[n].tokens) for n, a in right]
    answers = sum(share for share, _ in shares)
    gaps = [
        gap for _, a in right for gap, (at_s, _) in zip(a.gaps_s, a.pieces[1:], strict=True) if begin_s <= at_s < end_s
    ]
    firsts = [a.ttft_s for _, a in right if begin_s <= a.pieces[0][0] < end_s] or [a.ttft_s for _, a in right]
    whole = [a.ended_s - a.asked_s for _, a in right if begin_s <= a.ended_s < end_s] or [
        a.ended_s - a.asked_s for _, a in right
    ]
    row = {
        "answers_per_s": answers / (end_s - begin_s),
        "tokens_per_s": sum(share * tokens for share, tokens in shares) / (end_s - begin_s),
        "ttft_p50_ms": 1e3 * percentile(firsts, 0.5),
        "ttft_p99_ms": 1e3 * percentile(firsts, 0.99),
        "latency_p50_ms": 1e3 * percentile(whole, 0.5),
        "cpu_ms_per_answer": 1e3 * cpu_s / answers if answers else 0.0,
        "errors": float(len(wrong)),
        "different_texts": float(same.count(False)),
        "answers": float(len(loaded.answers)),
    }
    if gaps:
        row |= {"itl_p50_ms": 1e3 * percentile(gaps, 0.5), "itl_p99_ms": 1e3 * percentile(gaps, 0.99)}
    return row, wrong


def table(rows: Rows) -> list[dict[str, Any]]:
    """One line for each lane, peer and number of clients: medians over the rounds, and the least and the most."""
    lines = []
    for (lane, peer, clients), found in sorted(rows.items()):
        line: dict[str, Any] = {"lane": lane, "peer": peer, "clients": clients}
        for name in found[0]:
            values = [row[name] for row in found if name in row]
            if name in ("errors", "different_texts", "answers"):
                line[name] = int(sum(values))
            else:
                line[name] = _short(statistics.median(values))
                line[f"{name}_range"] = [_short(min(values)), _short(max(values))]
        lines.append(line)
    return lines


# Key -> lane, clients, column, how the two are compared, our peer's name, the other's.
_RATIO: Callable[[float, float], float] = lambda ours, other: ours / other  # noqa: E731
_DIFFERENCE: Callable[[float, float], float] = lambda ours, other: ours - other  # noqa: E731
COMPARED = {
    "ttft_added_ms_c1": ("local", 1, "ttft_p50_ms", _DIFFERENCE, "ours", "vllm"),
    "throughput_vs_vllm_c32": ("local", 32, "tokens_per_s", _RATIO, "ours", "vllm"),
    "throughput_vs_vllm_lp20_c32": ("local", 32, "tokens_per_s", _RATIO, "ours", "vllm lp20"),
    "itl_p99_ratio_c32": ("local", 32, "itl_p99_ms", _RATIO, "ours", "vllm"),
    "vs_ray_serve_llm_ttft_ratio": ("local", 1, "ttft_p50_ms", _RATIO, "ours", "ray.serve.llm"),
    "vs_ray_serve_llm_throughput_c32": ("local", 32, "tokens_per_s", _RATIO, "ours", "ray.serve.llm"),
    "gateway_cpu_vs_litellm_instant": ("instant", 32, "cpu_ms_per_answer", _RATIO, "ours", "litellm"),
    "gateway_cpu_vs_litellm_paced": ("paced", 32, "cpu_ms_per_answer", _RATIO, "ours", "litellm"),
    "gateway_rps_vs_litellm_c32": ("instant", 32, "answers_per_s", _RATIO, "ours", "litellm"),
    "gateway_added_ms_p50_c1": ("instant", 1, "latency_p50_ms", _DIFFERENCE, "ours", "direct"),
    "gateway_tokens_s_c100_vs_direct": ("paced", 100, "tokens_per_s", _RATIO, "ours", "direct"),
    "throughput_vs_vllm_real_c8": ("real", 8, "tokens_per_s", _RATIO, "ours", "vllm"),
}


def compared(rows: Rows) -> dict[str, Any]:
    """The keys of the bench: each compares two peers within a round; medians over the rounds, and the range."""
    found: dict[str, Any] = {}
    for key, (lane, clients, column, compare, ours, other) in COMPARED.items():
        mine, theirs = rows.get((lane, ours, clients)), rows.get((lane, other, clients))
        if mine and theirs:
            values = [compare(a[column], b[column]) for a, b in zip(mine, theirs, strict=True)]
            found[key] = _short(statistics.median(values))
            found[f"{key}_range"] = [_short(min(values)), _short(max(values))]
    return found


def _short(value: float) -> float:
    return float(f"{value:.4g}")
