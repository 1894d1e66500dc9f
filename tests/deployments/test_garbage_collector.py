"""Collections of processes of their own."""

import subprocess
import sys

import pytest

from deployments import ingress
from deployments.ingress import Ingress

CODE = """
import gc
import deployments.ingress
from deployments.garbage_collector import spare_what_is_loaded
loaded = len(gc.get_objects())
spare_what_is_loaded()
later = [[] for _ in range(1000)]
print(loaded, gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_a_collection_looks_only_at_what_was_made_later() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    loaded, spared, looked_at = map(int, told.split())
    assert spared > 0.9 * loaded > 50_000
    assert 1000 <= looked_at < 20_000


async def test_an_ingress_that_serve_starts_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Ingress, "http_app", lambda _self: calls.append("loaded"))
    monkeypatch.setattr(ingress, "spare_what_is_loaded", lambda: calls.append("spared"))
    await Ingress.__serve_build_asgi_app__(Ingress.__new__(Ingress))
    assert calls == ["loaded", "spared"]
