"""Import vLLM without what the replica of a text model never uses. (The engine has a process of its own.)

A quarter of the processor time of that import are TorchInductor, to which vLLM applies a patch, and SciPy's signal
processing, with which vLLM resamples audio.
"""

import importlib
import sys

HOOK = "deployments.engine.lean_vllm.import_vllm"
"""The setup hook of replicas whose engines compile nothing (`node/lean_serve.py`)."""


def import_vllm() -> None:
    """Import vLLM as if neither library were installed. Later imports of them find them."""
    _import_without("vllm", "torch._inductor")
    _import_without("vllm.multimodal.audio", "scipy.signal")


def _import_without(module: str, other: str) -> None:
    if other in sys.modules:
        return
    sys.modules[other] = None  # type: ignore[assignment]  # Python's way to say: there is no such module
    try:
        importlib.import_module(module)
    finally:
        del sys.modules[other]
