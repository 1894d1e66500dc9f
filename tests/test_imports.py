"""What importing does, seen in a fresh interpreter."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("ghostrouter.detect.monitor, ghostrouter.sessions.session, ghostrouter.api.chat_request", "ray vllm torch"),
        ("ghostrouter, ghostrouter.boot, ghostrouter.cli.main", "ray vllm torch transformers sqlalchemy"),
        ("ghostrouter.events.store, ghostrouter.events.spool", "ray vllm torch transformers"),
        ("ghostrouter.replay.tokenizers, ghostrouter.config", "ray vllm torch"),
        ("deployments.session.conductor, deployments.engine.segment_writer, deployments.ingress", "vllm torch"),
    ],
)
def test_importing_stays_light(imported: str, absent: str) -> None:
    program = f"import sys, {imported}; print(*(m for m in '{absent}'.split() if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
