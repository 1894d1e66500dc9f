"""`ghostrouter promote` and `demote` on a configuration and its event store."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ghostrouter.cli.main import main
from ghostrouter.cli.promote import with_value
from ghostrouter.errors import ConfigError
from ghostrouter.events.store import Store
from tests.learn.test_promotion import served
from tests.shipped import MODELS

CONFIG = """# of the operator
applications:
- import_path: graph:build
  args:
    models: [{{name: small, source: {models}/ghost-small}}]
    routes: {{default: {{models: [small]}}}}
    events: {{folder: {folder}}}
    router:
      bandit:
        stage: shadow  # how far it is
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.format(models=MODELS, folder=tmp_path))
    return path


def test_the_bandit_goes_up_by_its_evidence_and_back_by_one_command(config: Path) -> None:
    store = Store(f"sqlite:///{config.parent}/events.sqlite")
    store.write(served(600, 0.2, "large"))
    store.close()
    before = config.read_text()
    for stage in ("share", "all"):
        done = CliRunner().invoke(main, ["promote", str(config), "--no-reload"])
        assert done.exit_code == 0, done.output
        assert config.read_text() == before.replace("stage: shadow", f"stage: {stage}")
    assert "already" in CliRunner().invoke(main, ["promote", str(config), "--no-reload"]).stderr
    assert CliRunner().invoke(main, ["demote", str(config), "--no-reload"]).exit_code == 0
    assert config.read_text() == before
    assert CliRunner().invoke(main, ["demote", str(config), "--no-reload"]).exit_code == 1


def test_without_evidence_nothing_changes(config: Path) -> None:
    before = config.read_text()
    done = CliRunner().invoke(main, ["promote", str(config), "--no-reload"])
    assert done.exit_code == 1
    assert "not promoted" in done.stderr
    assert config.read_text() == before


def test_a_service_that_cannot_be_reached_leaves_the_file_as_it_was(config: Path) -> None:
    store = Store(f"sqlite:///{config.parent}/events.sqlite")
    store.write(served(600, 0.2, "large"))
    store.close()
    before = config.read_text()
    done = CliRunner().invoke(main, ["promote", str(config), "--dashboard", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert config.read_text() == before


def test_a_key_that_is_missing_is_told() -> None:
    with pytest.raises(ConfigError, match=r"a\.b is missing"):
        with_value("applications:\n- args: {a: 1}\n", "a.b", "2")
