import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ghostrouter.errors import TraceInvalid
from ghostrouter.signals.batch import COLUMNS
from ghostrouter.signals.entropy import bounds
from ghostrouter.traces.read import read

NAN = float("nan")


def line(**changes: Any) -> str:
    """A line of three tokens, the last one wrong."""
    fields: dict[str, Any] = {
        "prompt": "p",
        "model": "m",
        "tokens": ["4", " ok", "."],
        "top_logprobs": [[-0.1, -3.0, -4.0], [-0.2, -2.0, -5.0], [-1.0, -1.0, -3.0]],
        "vocab_size": 10,
        "first_wrong": 2,
        **changes,
    }
    return json.dumps({k: v for k, v in fields.items() if v != "absent"})


def file(folder: Path, *lines: str) -> Path:
    path = folder / "t.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_line_becomes_signals_and_labels(tmp_path: Path) -> None:
    (trace,) = read(file(tmp_path, line()))
    assert (trace.model, trace.group, trace.onset) == ("m", "p", 2)
    np.testing.assert_array_equal(trace.labels, [0, 0, 1])
    signals = dict(zip(COLUMNS, trace.signals.T, strict=True))
    known = bounds((-0.1, -3.0, -4.0), 10)
    assert signals["entropy_lower_nats"][0] == pytest.approx(known.lower_nats)
    assert signals["entropy_upper_nats"][0] == pytest.approx(known.upper_nats)
    np.testing.assert_allclose(signals["margin"], [2.9, 1.8, 0.0], rtol=1e-5)
    np.testing.assert_allclose(signals["top_logprob"], [-0.1, -0.2, -1.0], rtol=1e-5)
    np.testing.assert_array_equal(signals["step_start"], [1, 0, 0])
    np.testing.assert_array_equal(signals["kind"], [1, 3, 4])


def test_exact_entropies_win_and_suffice(tmp_path: Path) -> None:
    both, alone = read(
        file(tmp_path, line(entropies=[0.5, 0.1, 2.0]), line(entropies=[0.5, 0.1, 2.0], top_logprobs=None))
    )
    exact = [0.5, 0.1, 2.0]
    for trace in (both, alone):
        for column in COLUMNS[:3]:
            np.testing.assert_allclose(trace.signals[:, COLUMNS.index(column)], exact)


def test_without_log_probabilities_only_the_text_speaks(tmp_path: Path) -> None:
    plain, whole = read(file(tmp_path, line(top_logprobs=None, text_only=True), line()))
    assert plain.text_only and not whole.text_only
    np.testing.assert_array_equal(plain.signals, whole.without_logprobs().signals)
    assert plain.signals[:, COLUMNS.index("novelty")].tolist() == [1, 0, 0], "nobody has spoken of a 4"


def test_drafts_are_read_and_taken_as_accepted_where_nothing_is_said(tmp_path: Path) -> None:
    said, silent = read(file(tmp_path, line(draft_acceptance=[1.0, 0.5, 0.25]), line()))
    column = COLUMNS.index("draft_acceptance")
    assert said.signals[:, column].tolist() == [1.0, 0.5, 0.25]
    assert silent.signals[:, column].tolist() == [1.0, 1.0, 1.0]


def test_the_text_is_that_before_each_token(tmp_path: Path) -> None:
    """The second token is one that the model would have written in the place of what stands there."""
    tops = [[-0.1, -3.0]] * 3
    (trace,) = read(
        file(tmp_path, line(tokens=["A", "x", "b"], context=["A", "b", "b"], prompt="Abb", top_logprobs=tops))
    )
    assert trace.signals[:, COLUMNS.index("novelty")].tolist() == [0, 2, 0]


def test_behind_the_beginning_of_a_span_nothing_counts(tmp_path: Path) -> None:
    (trace,) = read(file(tmp_path, line(first_wrong="absent", spans=[[0, 2]])))
    np.testing.assert_array_equal(trace.labels, [1, np.nan, 0])


def test_a_right_answer_has_no_onset(tmp_path: Path) -> None:
    right = read(file(tmp_path, line(first_wrong=None), line(first_wrong="absent", spans=[])))
    assert [t.onset for t in right] == [None, None]


def test_right_or_wrong_is_enough_and_no_onset_is_invented(tmp_path: Path) -> None:
    chosen = {"top_logprobs": None, "logprobs": [-0.5, -0.1, 0.0], "first_wrong": "absent"}
    wrong, right = read(file(tmp_path, line(**chosen, wrong=True), line(**chosen, wrong=False)))
    assert (wrong.wrong, wrong.onset, wrong.spans) == (True, None, ())
    assert np.isnan(wrong.labels).all()
    assert not right.wrong
    assert (right.labels == 0).all()


def test_the_chosen_tokens_alone_tell_no_entropy(tmp_path: Path) -> None:
    (trace,) = read(file(tmp_path, line(top_logprobs=None, logprobs=[-0.5, -0.1, 0.0])))
    signals = dict(zip(COLUMNS, trace.signals.T, strict=True))
    for known in ("logprob", "top_logprob"):
        np.testing.assert_allclose(signals[known], [-0.5, -0.1, 0.0])
    for unknown in ("entropy_nats", "margin", "second_gap"):
        assert not signals[unknown].any()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (line(tokens="absent"), "tokens"),
        (line(wrong=False), "wrong contradicts"),
        (line(first_wrong=None, wrong=True), "wrong contradicts"),
        (line(model="absent"), "model"),
        (line(prompt="absent"), "prompt"),
        (line(first_wrong="absent"), "first_wrong"),
        (line(spans=[[0, 1]]), "not both"),
        (line(top_logprobs=None), "entropies or logprobs is needed"),
        (line(top_logprobs=[[NAN], [-0.1], [-0.1]]), "finite"),
        (line(entropies=[0.1, NAN, 0.1]), "entropies"),
        (line(entropies=[0.1, -0.5, 0.1]), "entropies"),
        (line(entropies=[0.1]), "1 entries for 3 tokens"),
        (line(top_logprobs=[[-0.1], [-0.1]]), "2 entries for 3 tokens"),
        (line(top_logprobs=[[-0.1, -3.0], [-2.0, -0.2], [-1.0]]), "token 1 is not sorted"),
        (line(top_logprobs=[[-0.1, -3.0], [-0.1, -0.2], [-1.0]]), "token 1 sum to 1.72"),
        (line(top_logprobs=[[800.0], [-0.1], [-1.0]]), "more than one"),
        (line(top_logprobs=[[], [-0.1], [-1.0]]), "token 0 is empty"),
        (line(vocab_size=2), "more entries than the vocabulary"),
        (line(first_wrong=3), r"\[3, 3\)"),
        (line(first_wrong=-1), "first_wrong"),
        (line(first_wrong="absent", spans=[[1, 2], [0, 1]]), "out of order"),
        (line(step_starts=[7]), "step_starts"),
        (line(context=["4"]), "context has 1 entries"),
        (line(draft_acceptance=[0.5, 1.5, 1.0]), "draft_acceptance"),
        (line(draft_acceptance=[0.5]), "draft_acceptance has 1 entries"),
        (line(text_only=True), "text_only is set, so top_logprobs must not be given"),
        (line(extra=1), "extra"),
        ("{", "JSON"),
        ("[]", "."),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, bad: str, says: str) -> None:
    with pytest.raises(TraceInvalid, match=rf"t\.jsonl:3: .*{says}"):
        read(file(tmp_path, line(), "", bad, line()))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    for content in ("", "\n \n"):
        with pytest.raises(TraceInvalid, match=r"t\.jsonl:1: the file is empty"):
            read(file(tmp_path, content))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceInvalid, match="No such file"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(TraceInvalid, match="UTF-8"):
        read(tmp_path / "b.jsonl")


def test_a_line_ends_where_json_lines_do(tmp_path: Path) -> None:
    """What Unicode takes for the end of a line may stand in a text."""
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"prompt": "a\u2028b\u0085", "model": "m", "tokens": ["x"], "entropies": [0.5], "first_wrong": null}\n'
    )
    assert [t.group for t in read(path)] == ["a\u2028b\u0085"]
