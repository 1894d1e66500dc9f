"""`ghostrouter models` as it is read in a narrow terminal."""

import json

import pytest
from click.testing import CliRunner

from ghostrouter.cli.main import main

WIDE = 80


def told(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["models", *arguments])
    assert result.exit_code == 0
    return result.output


def test_every_model_has_a_line_with_its_prices() -> None:
    lines = told().splitlines()
    assert max(map(len, lines)) <= WIDE
    for row in json.loads(told("--json")):
        if row["model"]:
            line = next(x for x in lines if x.startswith(row["model"] + " "))
            prompt = row["prompt_usd_per_mtok"]
            assert ("?" if prompt is None else f"{prompt:g}") in line.split()


@pytest.mark.parametrize("key", ["", "sk-planted"])
def test_it_says_which_key_is_wanted(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    if key:
        monkeypatch.setenv("XAI_API_KEY", key)
    first = told("--provider", "xai").splitlines()[0]
    assert first.startswith("xai: ready" if key else "xai: set XAI_API_KEY")
