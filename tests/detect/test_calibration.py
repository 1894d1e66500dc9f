from pathlib import Path

import numpy as np
import pytest

from ghostrouter.detect.calibration import Calibration
from ghostrouter.detect.fit import LabelledTrace, fit
from ghostrouter.errors import ConfigError
from ghostrouter.signals.batch import matrix
from tests.make import calibration, token


def trace(rng: np.random.Generator, wrong_rate: float) -> LabelledTrace:
    """Wrong tokens have an entropy around 2 nats, right ones around 0.2."""
    wrong = rng.random(40) < wrong_rate
    entropy = np.abs(rng.normal(np.where(wrong, 2.0, 0.2), 0.2))
    return LabelledTrace(matrix([token(entropy_nats=e) for e in entropy]), wrong)


def test_fit_finds_the_wrong_tokens() -> None:
    rng = np.random.default_rng(0)
    found = fit("m", [trace(rng, 0.05) for _ in range(200)], recall=0.98, fitted_on="made up")
    assert found.recall == pytest.approx(0.98, abs=0.01)
    assert found.false_alarms < 0.01
    assert 0 < found.calibration.quiet_risk < found.calibration.warm_risk < found.calibration.handoff_risk < 1
    assert 0.3 < found.calibration.screen.entropy_nats < 2.0


def test_fit_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        fit("m", [trace(np.random.default_rng(0), 0.0)], recall=0.9, fitted_on="")


def test_files_survive_the_way_to_disk(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(calibration().model_dump_json())
    assert Calibration.load(path) == calibration()


@pytest.mark.parametrize("content", [None, "", "{}", '{"model": "m", "unknown": 1}'])
def test_a_bad_file_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"c\.json"):
        Calibration.load(path)
