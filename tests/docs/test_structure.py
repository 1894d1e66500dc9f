"""docs/structure.md is true: what it names exists, and it names every room."""

import re
from pathlib import Path

from tests.shipped import ROOT

PAGE = (ROOT / "docs" / "structure.md").read_text()
_ROOMS = [p for p in (ROOT / "deployments").iterdir() if p.is_dir()]
_ROOTS = (ROOT, ROOT / "ghostrouter", ROOT / "deployments", *_ROOMS)


def _paths() -> set[str]:
    """What stands between backticks and looks like a file or a folder."""
    return set(re.findall(r"`([\w/.-]+(?:\.py|\.toml|/))`", PAGE))


def test_what_it_names_exists() -> None:
    assert {p for p in _paths() if not any((root / p).exists() for root in _ROOTS)} == set()


def test_it_names_every_room() -> None:
    rooms: set[Path] = {p.parent for p in (ROOT / "ghostrouter").glob("*/__init__.py")}
    rooms |= {p.parent for p in (ROOT / "deployments").glob("*/__init__.py")}
    assert {f"{r.name}/" for r in rooms} <= _paths()


def test_it_is_short() -> None:
    assert len(PAGE.splitlines()) <= 120


def test_few_modules_stand_on_top_of_deployments() -> None:
    assert len([p for p in (ROOT / "deployments").glob("*.py") if p.name != "__init__.py"]) <= 15
