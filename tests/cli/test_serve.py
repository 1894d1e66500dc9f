import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ghostrouter.cli.main import main
from tests.shipped import ROOT


def serve(tmp_path: Path, text: str) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["serve", str(path)])
    assert result.exit_code == 2
    return result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not YAML"),
        ("a: 1", "`applications` is missing"),
        ("applications: [{import_path: 'graph:build', args: {modles: []}}]", "modles"),
        ("applications: [{import_path: 'graph:build'}]", "routes: Field required"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_starts(tmp_path: Path, text: str, words: str) -> None:
    assert words in serve(tmp_path, text)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        output = serve(tmp_path, f"http_options: {{port: {port}}}\napplications: []")
    assert f"port {port} is not free" in output


def test_a_missing_file_is_told() -> None:
    result = CliRunner().invoke(main, ["serve", "nowhere.yaml"])
    assert result.exit_code == 2
    assert "nowhere.yaml" in result.output


# Stops a process, and one below it, that take no notice of signals.
STOPS = """
import subprocess
from rich.console import Console
from ghostrouter.cli.serve import _stop
stubborn = ["bash", "-c", "trap '' INT TERM; echo; sleep 1000 & wait"]
child = subprocess.Popen(stubborn, start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid)
_stop(Console(), child)
"""


def test_who_presses_ctrl_c_again_leaves_no_process_behind() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPS], stdout=subprocess.PIPE, text=True) as stops:
        assert stops.stdout
        group = int(stops.stdout.readline())
        while "Stopping" not in stops.stdout.readline():
            assert stops.poll() is None
        stops.send_signal(signal.SIGTERM)
        stops.send_signal(signal.SIGINT)
        assert stops.wait(120) == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_the_schema_in_the_repository_is_the_one_of_the_code() -> None:
    printed = CliRunner().invoke(main, ["schema"]).output
    assert (ROOT / "docs" / "config.schema.json").read_text() == printed, "run `make schema`"
