import numpy as np

from ghostrouter.detect.answer_evaluate import compare
from ghostrouter.detect.probe import probes
from ghostrouter.traces.line import Line
from ghostrouter.traces.read import as_trace
from ghostrouter.traces.trace import Trace


def answered(prompt: str, *texts: str, right: str = "7") -> list[Trace]:
    fields = {"prompt": prompt, "model": "m"}
    return [
        as_trace(Line(**fields, tokens=("It", " is ", text), logprobs=(-0.1, -0.2, -0.3), wrong=text != right))
        for text in texts
    ]


def test_each_answer_is_the_probe_of_one_other() -> None:
    assert probes([*answered("a", "1", "2", "3"), *answered("b", "1")]) == [1, 2, 0, None]


def test_agreement_tells_what_one_answer_does_not() -> None:
    """Right answers are alike, wrong ones differ; nothing else tells them apart."""
    rng = np.random.default_rng(0)
    some = []
    for i in range(60):
        right = str(rng.integers(100, 999))
        texts = [right if rng.random() < 0.6 else str(rng.integers(100, 999)) for _ in range(4)]
        some += answered(f"question {i}", *texts, right=right)
    found = compare(some)
    assert found["answer_auroc_unprobed"] < 0.65
    assert found["answer_auroc_probe"] > found["answer_auroc_unprobed"] + 0.1
    assert found["probed"] == 240


def test_without_a_second_answer_there_is_no_probe() -> None:
    some = [t for i in range(30) for t in answered(f"q {i}", "7" if i % 2 else "8")]
    assert compare(some)["answer_auroc_probe"] is None
