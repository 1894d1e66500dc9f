"""What vLLM's engine process is started with."""

import gc
import pickle
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from deployments.engine.core_process import CoreMain

started: list[tuple[object, ...]] = []


class EngineCoreProc:
    """Stands for vLLM's, whose import takes long."""

    @staticmethod
    def run_engine_core(*arguments: object, **options: object) -> None:
        started.append((*arguments, options, gc.get_threshold()[0]))


@pytest.fixture(autouse=True)
def _vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    core = ModuleType("vllm.v1.engine.core")
    core.EngineCoreProc = EngineCoreProc  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm.v1.engine.core", core)
    started.clear()
    usual = gc.get_threshold()
    yield
    gc.set_threshold(*usual)


def test_unpickled_it_is_vllms_main_function_and_garbage_is_collected_rarely() -> None:
    usual = gc.get_threshold()[0]
    main = pickle.loads(pickle.dumps(CoreMain()))  # noqa: S301 - our own
    assert main is EngineCoreProc.run_engine_core
    main(1, dp_rank=0)
    (call,) = started
    assert call[:2] == (1, {"dp_rank": 0})
    assert gc.get_threshold()[0] > 10 * usual


def test_called_it_runs_vllms_main_function() -> None:
    CoreMain()(2)
    assert started[0][:2] == (2, {})
