import subprocess
import sys

import pytest

from bench import seeds
from bench.determinism import busy_cores, summarise
from bench.service import Answer
from ghostrouter.events.metrics import EXPIRED, LATE_VERDICTS

COUNTED = {EXPIRED.name: 0.0, LATE_VERDICTS.name: 0.0}


def answer(*parts: tuple[str, str]) -> Answer:
    segments, at = [], 0
    for model, text in parts:
        segments.append(
            {"model": model, "reason": "plan", "characters": [at, at + len(text)], "rollback_tokens": 0, "tokens": 1}
        )
        at += len(text)
    return Answer("".join(t for _, t in parts), {"segments": segments}, 1, 1, 1.0, [])


ONE, CUT_ELSEWHERE, OTHER = answer(("a", "1"), ("b", "2")), answer(("a", "12"), ("b", "")), answer(("a", "13"))


@pytest.mark.parametrize(
    ("second", "texts", "seams", "different"),
    [(ONE, 1.0, 1.0, 0), (CUT_ELSEWHERE, 1.0, 0.5, 1), (OTHER, 0.5, 0.5, 1)],
)
def test_shares_are_of_questions_that_come_out_the_same_every_time(
    second: Answer, texts: float, seams: float, different: int
) -> None:
    answers = {"local": {"one": [ONE, ONE], "busy": [ONE, second]}}
    found = summarise(["q", "r"], answers, COUNTED)
    assert (found["same_text_share"], found["same_seams_share"]) == (texts, seams)
    assert len(found["different"]) == different
    assert found["seams"] == 2


def test_busy_cores_end_with_their_block() -> None:
    spinning: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def remember(command: list[str]) -> subprocess.Popen[bytes]:
        assert command[0] == sys.executable
        spinning.append(real(command))
        return spinning[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", remember)
        with busy_cores():
            assert spinning
            assert all(p.poll() is None for p in spinning)
    assert all(p.poll() is not None for p in spinning)


def test_several_draws_give_the_median_and_the_range() -> None:
    runs = [{"right": share, "wrong": [], "seed": seed, "n": 9} for seed, share in ((1, 0.5), (2, 0.9), (3, 0.8))]
    found = seeds.summarised(runs)
    assert (found["right"], found["right_range"], found["seeds"], found["n"]) == (0.8, [0.5, 0.9], [1, 2, 3], 9)
    assert found["runs"] == runs
    assert seeds.summarised(runs[:1]) == runs[0]
