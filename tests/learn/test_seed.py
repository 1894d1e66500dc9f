"""Seed data from templates."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from ghostrouter.classify.builtin import builtin_examples
from ghostrouter.cli.main import main
from ghostrouter.learn.seed import TEMPLATES, seed


def test_prompts_are_different_and_tasks_are_balanced() -> None:
    rows = list(seed(140, np.random.default_rng(1)))
    assert len({row["prompt"] for row in rows}) == 140
    counts = Counter(row["task"] for row in rows)
    assert set(counts) == set(TEMPLATES) <= set(builtin_examples())
    assert max(counts.values()) - min(counts.values()) <= 1
    assert not any("{" in row["prompt"] for row in rows)


def test_templates_that_allow_few_prompts_end() -> None:
    rows = list(seed(100, np.random.default_rng(1), {"a": ("{x}?",)}, {"x": ("1", "2")}))
    assert sorted(row["prompt"] for row in rows) == ["1?", "2?"]


def test_own_templates(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("templates: {cats: ['Is {cat} hungry?']}\nslots: {cat: [Mia, Tom]}\n")
    done = CliRunner().invoke(main, ["generate", "--count", "2", "--templates", str(path)])
    assert {json.loads(line)["prompt"] for line in done.stdout.splitlines()} == {"Is Mia hungry?", "Is Tom hungry?"}
    path.write_text("templates: {cats: ['Is {dog} hungry?']}\n")
    assert "no slot 'dog'" in CliRunner().invoke(main, ["generate", "--templates", str(path)]).stderr
