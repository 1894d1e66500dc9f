"""Imports of a process of their own."""

import subprocess
import sys

from deployments.engine import lean_vllm

LEAN = """
import sys
from deployments.engine.lean_vllm import import_vllm
import_vllm()
import ray.serve.llm
import deployments.local_engine
heavy = ("torch._inductor.lowering", "scipy.signal")
print([m for m in heavy if m in sys.modules])
import scipy.signal, torch._inductor.lowering
print(all(m in sys.modules for m in heavy))
"""


def test_a_replica_imports_vllm_without_what_it_never_uses() -> None:
    told = subprocess.run([sys.executable, "-c", LEAN], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-2:] == ["[]", "True"]


def test_the_hook_is_this_modules_function() -> None:
    module, _, name = lean_vllm.HOOK.rpartition(".")
    assert getattr(sys.modules[module], name) is lean_vllm.import_vllm
