"""The bill of materials, the hashes of the locks, and what the audit says without a network."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import audit
from scripts.sbom import bom, packages
from tests.shipped import ROOT

KINDS = pytest.mark.parametrize("kind", ["cpu", "gpu"])


def lock(kind: str) -> str:
    return (ROOT / "locks" / f"{kind}.lock").read_text()


@KINDS
def test_every_package_is_pinned_with_hashes(kind: str) -> None:
    found = list(packages(lock(kind)))
    lines = [line for line in lock(kind).splitlines() if line and not line.startswith((" ", "#"))]
    assert len(found) == len(lines) > 100
    # The CPU's torch comes from an index of its own, one file per version of Python (scripts/lock.sh).
    assert [p.name for p in found if not p.hashes] == (["torch"] if kind == "cpu" else [])


@KINDS
def test_the_bill_of_materials_is_valid_and_has_every_package(kind: str) -> None:
    written = bom(lock(kind))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    told = {(c["name"], c["version"], len(c.get("hashes", ()))) for c in json.loads(written)["components"]}
    assert told == {(p.name, p.version, len(p.hashes)) for p in packages(lock(kind))}
    assert bom(lock(kind)) == written


def test_the_audit_says_that_it_could_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    assert audit.audited(lock("cpu"), tmp_path) is None


def test_a_package_that_was_not_looked_up_is_not_taken_for_a_good_one(capsys: pytest.CaptureFixture[str]) -> None:
    good: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
    bad: dict[str, Any] = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    unknown: dict[str, Any] = {"name": "c", "skip_reason": "not on PyPI"}
    assert [audit.verdict("cpu", found) for found in (None, [good], [good, unknown], [good, bad, unknown])] == [
        2,
        0,
        2,
        1,
    ]
    told = capsys.readouterr()
    assert "b 2: CVE-1, mended in 3" in told.out and "1 could not be looked up (c ...)" in told.err
