"""Processor time and memory from /proc."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.processes import Process, ProcessTree, Used, cpu_by_role, family, parse_stat, role_of

_BUSY = (
    "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('done', flush=True)\n"
)
_HOLD = "data = bytearray(b'x' * 50_000_000)\nprint('ready', flush=True)\ninput()"


def _stat(pid: int, name: str, parent: int, session: int) -> str:
    return f"{pid} ({name}) S {parent} {pid} {session} 0 -1 4194304 1 2 3 4 150 50 7 8 35 15 1 0 9876 1 2"


def test_a_line_of_stat_is_read_even_if_the_name_has_brackets() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    assert parse_stat(_stat(7, "a) b (c", 3, 5)) == Process(7, 3, 5, 9876, 200 / ticks)


def test_the_family_has_descendants_and_all_in_their_sessions() -> None:
    processes = [
        Process(1, 0, 1, 0, 0),
        Process(10, 1, 10, 0, 0),  # the server
        Process(11, 10, 10, 0, 0),
        Process(12, 11, 12, 0, 0),  # a session of its own
        Process(13, 1, 12, 0, 0),  # whose parent has ended
        Process(20, 1, 20, 0, 0),
    ]
    assert [p.pid for p in family(10, processes)] == [10, 11, 12, 13]


def test_what_was_found_before_stays_in_the_family() -> None:
    orphan = Process(13, 1, 99, 5, 0)
    assert family(10, [orphan], known=[(13, 5)]) == [orphan]
    assert family(10, [orphan], known=[(13, 4)]) == []  # the number was used again


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (b"ray::ServeReplica:ghostrouter:Ingress\0", "Ingress"),
        (b"ray::ServeReplica:ghostrouter:LocalEngine:ghost-small\0", "LocalEngine:ghost-small"),
        (b"ray::ServeReplica:ghostrouter:Replay.handle_request()\0", "Replay"),
        (b"ray::SERVE_REPLICA::ghostrouter#Ingress#k8:ServeReplica:ghostrouter:Ingress.__init__\0", "Ingress"),
        (b"ray-dashboard-ServeHead-0\0", "dashboard module"),
        (b"ray::ServeController\0", "ServeController"),
        (b"ray::ProxyActor.run\0", "ProxyActor"),
        (b"VLLM::EngineCore\0", "EngineCore"),
        (b"/x/ray/core/src/ray/raylet/raylet\0--a=b\0", "raylet"),
        (b"/x/bin/python\0-u\0/x/ray/_private/log_monitor.py\0--a\0", "log_monitor.py"),
        (b"/x/bin/python3.11\0-m\0vllm.entrypoints.openai.api_server\0--a\0", "vllm.entrypoints.openai.api_server"),
        (
            b"python\0-B\0-c\0from multiprocessing.forkserver import main; main(1, ['ray.dashboard.x'])\0",
            "dashboard module",
        ),
        (b"python\0-c\0from multiprocessing.spawn import spawn_main\0", "multiprocessing"),
        (b"node\0/x/start-server.js\0--port=1\0", "start-server.js"),
        (b"", "?"),
    ],
)
def test_a_role_is_read_from_the_command(command: bytes, role: str) -> None:
    assert role_of(command) == role


def test_processor_time_counts_new_processes_and_leaves_out_those_that_ended() -> None:
    before = {(1, 0): Used("a", 5.0), (2, 0): Used("b", 7.0)}
    after = {(1, 0): Used("a", 6.5), (3, 0): Used("a", 2.0)}
    assert cpu_by_role(before, after) == {"a": 3.5}


@pytest.fixture
def holding() -> Iterator["subprocess.Popen[str]"]:
    """A process whose child holds 50 MB."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOLD!r}])"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, start_new_session=True, **pipes) as child:  # type: ignore[call-overload]
        assert child.stdout.readline() == "ready\n"
        yield child
        child.communicate("\n")


def test_memory_counts_the_child(holding: "subprocess.Popen[str]") -> None:
    tree = ProcessTree(holding.pid)
    found = tree.memory()
    assert len(tree.pids()) == 2
    assert 50 < sum(m.pss_mb for m in found.values()) <= sum(m.rss_mb for m in found.values()) < 150


def test_processor_time_of_a_real_process() -> None:
    code = f"input()\n{_BUSY}input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin and child.stdout
        tree = ProcessTree(child.pid)
        before = tree.read()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n"
        spent = cpu_by_role(before, tree.read())
        child.communicate("\n")
    assert 0.28 <= sum(spent.values()) < 0.6
