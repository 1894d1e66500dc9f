"""From answers to rows, and from rows to the result."""

import pytest

from bench.arrivals import Arrival
from bench.load import Loaded
from bench.peer_rows import Asked, compared, row_of, table

ASKED = [Asked({}, "abcd", 4)]


def _answer(asked_s: float, *times: float, text: str = "abcd", tokens: int = 4, error: str = "") -> Arrival:
    pieces = [(at_s, len(text) // len(times)) for at_s in times]
    return Arrival(asked_s, times[-1], 200, text, pieces, "stop", done=True, completion_tokens=tokens, error=error)


def test_an_answer_counts_by_the_share_of_its_text_that_came_in_time() -> None:
    inside = _answer(1.0, 1.1, 1.2, 1.3, 1.4)
    across = _answer(1.9, 1.95, 1.98, 2.1, 2.2)
    row, wrong = row_of(Loaded([(0, inside), (0, across)], 1.0, 2.0), ASKED, cpu_s=3.0)
    assert wrong == []
    assert row["answers_per_s"] == 1.5
    assert row["tokens_per_s"] == 6.0
    assert row["cpu_ms_per_answer"] == 2000.0
    assert row["ttft_p50_ms"] == pytest.approx(100)
    assert row["itl_p99_ms"] == pytest.approx(100)
    assert row["latency_p50_ms"] == pytest.approx(400)
    assert row["errors"] == row["different_texts"] == 0


def test_errors_and_other_texts_are_counted() -> None:
    answers = [
        _answer(1.0, 1.1),
        _answer(1.0, 1.1, text="abcx", tokens=5),  # another text may have another number of tokens
        _answer(1.0, 1.1, tokens=5),
        _answer(1.0, 1.1, error="status 503"),
    ]
    row, wrong = row_of(Loaded([(0, a) for a in answers], 1.0, 2.0), ASKED, cpu_s=0.0)
    assert (row["errors"], row["different_texts"], row["answers"]) == (2, 1, 4)
    assert wrong == ["status 503", "5 tokens instead of 4"]


def test_nothing_right_is_nothing_measured() -> None:
    with pytest.raises(RuntimeError, match=r"no answer is right: .*503"):
        row_of(Loaded([(0, _answer(1.0, 1.1, error="503"))], 1.0, 2.0), ASKED, cpu_s=0.0)


def test_peers_are_compared_within_a_round() -> None:
    # The machine is twice as slow in the second round; the ratio of the medians would hide which belongs to which.
    rows = {
        ("local", "ours", 32): [{"tokens_per_s": 90.0, "itl_p99_ms": 2.0}, {"tokens_per_s": 40.0, "itl_p99_ms": 4.0}],
        ("local", "vllm", 32): [{"tokens_per_s": 100.0, "itl_p99_ms": 1.0}, {"tokens_per_s": 50.0, "itl_p99_ms": 2.0}],
    }
    found = compared(rows)
    assert found["throughput_vs_vllm_c32"] == pytest.approx(0.85)
    assert found["throughput_vs_vllm_c32_range"] == [0.8, 0.9]
    assert found["itl_p99_ratio_c32"] == 2.0
    assert "ttft_added_ms_c1" not in found


def test_the_table_has_medians_ranges_and_sums() -> None:
    rows = {("local", "vllm", 1): [{"ttft_p50_ms": v, "errors": 1.0} for v in (3.0, 1.0, 2.0)]}
    assert table(rows) == [
        {
            "lane": "local",
            "peer": "vllm",
            "clients": 1,
            "ttft_p50_ms": 2.0,
            "ttft_p50_ms_range": [1.0, 3.0],
            "errors": 3,
        }
    ]
