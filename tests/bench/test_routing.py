"""The bench of learned routing, on small tables and with a made-up encoder."""

import csv
from pathlib import Path
from typing import Any

import pytest

from bench import routing
from tests.learn.test_router import layers, questions


def test_every_figure_of_both_sets_is_a_number_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gsm8k", "mmlu"):
        rows = questions(90, 1)
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["subject", "prompt", "weak_correct", "strong_correct"])
            table.writerows(zip(rows.groups, rows.prompts, *rows.good.T, strict=True))
    written: dict[str, Any] = {}
    monkeypatch.setattr(routing, "DATA", tmp_path)
    monkeypatch.setattr(routing, "FOLDS", 3)
    monkeypatch.setattr(routing, "DRAWS", 20)
    monkeypatch.setattr(routing, "embedded", lambda prompts, *_: layers(len(prompts), 2))
    monkeypatch.setattr(routing, "write", lambda _, found: written.update(found))
    routing.main()
    assert all(isinstance(value, float) for value in written.values())
    for name in ("gsm8k", "mmlu"):
        assert written[f"apgr_{name}_ci_low"] <= written[f"apgr_{name}"] <= written[f"apgr_{name}_ci_high"]
        assert written[f"apgr_{name}_over_knn_ci_low"] <= written[f"apgr_{name}_over_knn"]
        assert {f"apgr_{name}_nested", f"apgr_{name}_families", f"apgr_{name}_unseen_subjects"} <= written.keys()
        assert (written[f"n_{name}"], written[f"strong_accuracy_{name}"]) == (90, 1)
