"""Collections of processes of their own."""

import subprocess
import sys

import pytest

from deployments import ingress
from deployments.ingress import Ingress

CODE = """
import gc
usual = gc.get_threshold()
from deployments.garbage_collector import collect_rarely, spare_what_is_loaded
collect_rarely()
collections = []
gc.callbacks.append(lambda phase, _: collections.append(phase))
import deployments.ingress
while_importing = len(collections)
loaded = len(gc.get_objects())
spare_what_is_loaded()
later = [[] for _ in range(1000)]
print(loaded, gc.get_freeze_count(), len(gc.get_objects()), while_importing, gc.get_threshold() == usual)
"""


def test_few_collections_while_it_starts_and_then_only_of_what_was_made_later() -> None:
    told = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    loaded, spared, looked_at, collections = map(int, told.split()[:4])
    assert spared > 0.9 * loaded > 50_000
    assert 1000 <= looked_at < 20_000
    assert collections < 20  # hundreds as usual
    assert told.split()[4] == "True"


async def test_an_ingress_that_serve_starts_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Ingress, "http_app", lambda _self: calls.append("loaded"))
    monkeypatch.setattr(ingress, "spare_what_is_loaded", lambda: calls.append("spared"))
    await Ingress.__serve_build_asgi_app__(Ingress.__new__(Ingress))
    assert calls == ["loaded", "spared"]
