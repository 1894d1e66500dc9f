"""Imports of processes of their own."""

import os
import subprocess
import sys

import pytest

from deployments.node import lean_serve


def python(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    ).stdout


IMPORT = """
import sys
from deployments.node.lean_serve import import_serve
import_serve()
"""


def test_serve_is_imported_without_pandas() -> None:
    told = python(IMPORT + "print('ray.serve' in sys.modules, 'pandas' in sys.modules, 'pyarrow' in sys.modules)")
    assert told.split() == ["True", "False", "False"]


def test_pandas_can_be_imported_afterwards() -> None:
    assert python(IMPORT + "import pandas; print(pandas.DataFrame({'a': [1, 2]}).a.sum())").split() == ["3"]


def test_pandas_stays_where_it_is_imported_already() -> None:
    told = python("import pandas" + IMPORT + "print(sys.modules['pandas'] is pandas, 'ray.serve' in sys.modules)")
    assert told.split() == ["True", "True"]


def test_the_deployments_of_a_gateway_import_no_pandas() -> None:
    parts = "classifier event_store ingress quotas replay telemetry".split()
    imports = "".join(f"import deployments.{part}\n" for part in parts)
    assert python(IMPORT + imports + "print({'pandas', 'pyarrow', 'torch', 'vllm'} & set(sys.modules))") == "set()\n"


def test_workers_of_ray_run_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import ray_constants
    from ray._private.runtime_env.setup_hook import load_and_execute_setup_hook

    monkeypatch.setattr(os, "environ", dict(os.environ))
    lean_serve.prepare_workers()
    hook = os.environ[ray_constants.WORKER_PROCESS_SETUP_HOOK_ENV_VAR]
    assert load_and_execute_setup_hook(hook) is None  # an error is returned as a text
    assert python("import deployments", PYTHONPATH=os.environ["PYTHONPATH"]) == ""
