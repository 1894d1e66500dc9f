import pytest

from ghostrouter.errors import TraceInvalid
from ghostrouter.traces.record import Question, first_wrong, to_line


@pytest.mark.parametrize(
    ("tokens", "cut", "expected"),
    [
        (("a", "b", "c"), False, None),
        (("a", "b", "c", ""), False, None),
        (("a", "x", "c"), False, 1),
        (("a", "b"), False, 1),  # ends too early
        (("a", "b"), True, None),  # was cut off
        (("a", "b", "c", "d"), False, 3),
    ],
)
def test_first_wrong(tokens: tuple[str, ...], cut: bool, expected: int | None) -> None:
    assert first_wrong(tokens, "abc", cut) == expected


def test_a_line_from_openais_entries() -> None:
    top = [{"token": "b", "logprob": -2.0}, {"token": "a", "logprob": -0.2}]
    entries = [{"token": "b", "logprob": -2.0, "top_logprobs": top}]
    line = to_line(Question(prompt="p", answer="a"), "m", entries, cut=False)
    assert line.top_logprobs == ((-0.2, -2.0),)
    assert line.first_wrong == 0
    assert line.entropies is None
    told = to_line(Question(prompt="p", answer="a"), "m", [{**entries[0], "entropy_nats": 0.5}], cut=False)
    assert told.entropies == (0.5,)


def test_no_log_probabilities_no_trace() -> None:
    with pytest.raises(TraceInvalid, match="no log-probabilities"):
        to_line(
            Question(prompt="p", answer="a"), "m", [{"token": "a", "logprob": -9999, "top_logprobs": []}], cut=False
        )
