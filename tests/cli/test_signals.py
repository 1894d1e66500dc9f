import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ghostrouter.cli.main import main
from ghostrouter.detect.calibration import Calibration


def write(path: Path, n: int = 40) -> Path:
    """Answers whose third token is wrong in every second one; the model is unsure there."""
    with path.open("w") as file:
        for i in range(n):
            wrong = i % 2 == 0
            tops = [[-0.01, -5.0], [-0.02, -4.5], [-1.0, -1.2] if wrong else [-0.03 - i / 1000, -4.0], [-0.01, -5.0]]
            fields = {"prompt": str(i), "model": "m", "tokens": ["a", " b", " c", "."], "top_logprobs": tops}
            file.write(json.dumps({**fields, "vocab_size": 50, "first_wrong": 2 if wrong else None}) + "\n")
    return path


def test_calibrate_writes_what_serving_reads(tmp_path: Path) -> None:
    path, out = write(tmp_path / "t.jsonl"), tmp_path / "c.json"
    args = ["calibrate", "--model", "m", "--traces", str(path), "--out", str(out), "--false-alarms-per-1000", "50"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    assert "recall 1.000" in done.output
    assert Calibration.load(out).model == "m"


def test_calibrate_takes_another_detector(tmp_path: Path) -> None:
    path, out = write(tmp_path / "t.jsonl"), tmp_path / "c.json"
    args = ["calibrate", "--model", "m", "--traces", str(path), "--out", str(out), "--false-alarms-per-1000", "50"]
    done = CliRunner().invoke(main, [*args, "--detector", "window"])
    assert done.exit_code == 0, done.output
    assert Calibration.load(out).hazard.detector == "window"


def test_calibrate_names_the_detectors_there_are(tmp_path: Path) -> None:
    args = ["calibrate", "--model", "m", "--traces", str(write(tmp_path / "t.jsonl")), "--detector", "mood"]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 2
    assert "there is no mood; there are hazard, level, slope," in done.output


def test_calibrate_refuses_traces_of_another_model(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["calibrate", "--model", "x", "--traces", str(write(tmp_path / "t.jsonl"))])
    assert done.exit_code == 1
    assert "traces of m, not of x" in done.output


@pytest.mark.parametrize("command", ["calibrate --model m", "bench signals", "bench signals --json"])
def test_a_bad_file_is_one_line_and_an_error(tmp_path: Path, command: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(write(tmp_path / "good.jsonl").read_text() + '{"prompt": "p"}\n')
    done = CliRunner().invoke(main, [*command.split(), "--traces", str(path)])
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert "t.jsonl:41: model: Field required" in done.output


def write_text(path: Path, n: int = 60) -> Path:
    """Answers of a model of which nothing but the text is known: every second one names somebody out of nowhere."""
    with path.open("w") as file:
        for i in range(n):
            name = "Zelda" if i % 2 else "Mira"
            tokens = [f" {name}" if at == 5 else " sings" for at in range(12)]
            fields = {"prompt": f"{i}: Mira?", "model": "m", "tokens": tokens, "text_only": True}
            file.write(json.dumps({**fields, "first_wrong": 5 if i % 2 else None}) + "\n")
    return path


@pytest.mark.parametrize(("more", "taken"), [((), "text_only"), (("--detector", "text_only"), "text_only")])
def test_a_model_that_tells_nothing_is_calibrated_by_its_text(
    tmp_path: Path, more: tuple[str, ...], taken: str
) -> None:
    path, out = write_text(tmp_path / "t.jsonl"), tmp_path / "c.json"
    args = ["calibrate", "--model", "m", "--traces", str(path), "--out", str(out), "--false-alarms-per-1000", "50"]
    done = CliRunner().invoke(main, [*args, *more])
    assert done.exit_code == 0, done.output
    assert "recall 1.000" in done.output
    assert Calibration.load(out).hazard.name in (taken, "novelty")


def test_text_alone_is_measured(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["bench", "signals", "--traces", str(write_text(tmp_path / "t.jsonl")), "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.output)
    assert figures["text_only_onset_auroc"] > 0.99
    assert figures["level_onset_auroc"] == 0.5
    assert figures["best_onset"] in ("text_only", "hazard", "reader")
    assert figures["unlearned_onset_auroc"] == figures["text_only_onset_auroc"]
