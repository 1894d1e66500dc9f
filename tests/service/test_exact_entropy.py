"""Entropies out of real engines, with and without speculative decoding, against the full softmax."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.shipped import ROOT

pytestmark = pytest.mark.service

SMALL = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "PYTHONPATH": str(ROOT),
}
CLOSE_NATS = 1e-3  # another processor rounds another way


@pytest.fixture(scope="module")
def written() -> dict[str, list[dict[str, Any]]]:
    """What tests.service.engine_entropies prints."""
    command = [sys.executable, "-m", "tests.service.engine_entropies"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | SMALL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("ANSWERS "))
    found: dict[str, list[dict[str, Any]]] = json.loads(line.removeprefix("ANSWERS "))
    return found


@pytest.mark.parametrize("engine", ["plain", "guessing"])
def test_entropies_are_those_of_the_full_softmax(written: dict[str, list[dict[str, Any]]], engine: str) -> None:
    for answer in written[engine]:
        assert len(answer["entropies"]) == len(answer["ids"]) > 20
        for (low, exact, high), expected in zip(answer["entropies"], answer["expected"], strict=True):
            assert low == exact == high == pytest.approx(expected, abs=CLOSE_NATS)
    assert max(e for _, e, _ in written[engine][-1]["entropies"]) > 0.5, "it was unsure of the last"


@pytest.mark.parametrize("engine", ["plain", "guessing"])
def test_behind_a_seam_tokens_and_their_entropies_are_the_same(
    written: dict[str, list[dict[str, Any]]], engine: str
) -> None:
    for answer in written[engine][:2]:
        assert answer["rest"] == answer["ids"][answer["cut"] :]
        behind = [e for _, e, _ in answer["entropies"][answer["cut"] :]]
        assert answer["rest_entropies"] == pytest.approx(behind, abs=CLOSE_NATS)


def test_guessing_ahead_changes_no_word_and_is_told(written: dict[str, list[dict[str, Any]]]) -> None:
    for plain, guessing in zip(written["plain"][:2], written["guessing"][:2], strict=True):
        assert plain["ids"] == guessing["ids"]
        assert not any(plain["accepted"])
    assert any(n for answer in written["guessing"] for n in answer["accepted"])
