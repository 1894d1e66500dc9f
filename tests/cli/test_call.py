"""The commands that ask the service, against its HTTP application on a real socket."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result

from ghostrouter.cli import show
from ghostrouter.cli.main import main
from tests.deployments.in_process import ANSWER, Service

CALL = ("call", "-t", "small", "-p", "?")


class Served:
    """A service in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))  # from here on connections wait for their turn
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._made: Future[tuple[Service, uvicorn.Server, asyncio.AbstractEventLoop]] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._thread.start()
        self.service, self._server, self._loop = self._made.result()

    async def _serve(self) -> None:
        service = Service()
        server = uvicorn.Server(uvicorn.Config(service.app, lifespan="off", log_level="warning"))
        self._made.set_result((service, server, asyncio.get_running_loop()))
        await server.serve(sockets=[self._socket])
        await service.die()

    def go(self) -> None:
        """Let an engine that waits write on."""
        self._loop.call_soon_threadsafe(self.service.writer.go.set)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    def __call__(self, *arguments: str, stdin: str | None = None, key: str | None = None) -> Result:
        environment = {"GHOSTROUTER_URL": self.url, "GHOSTROUTER_API_KEY": key}
        return CliRunner().invoke(main, arguments, input=stdin, env=environment)


@pytest.fixture(scope="module")
def ask() -> Iterator[Served]:
    served = Served()
    yield served
    served.stop()


@pytest.fixture
def paused(ask: Served) -> Iterator[Served]:
    """Its engine waits in the middle of an answer."""
    writer = ask.service.writer
    writer.pause_at = 10
    yield ask
    ask.go()
    writer.pause_at = len(ANSWER) + 1
    writer.go = asyncio.Event()


def test_a_call_is_answered(ask: Served) -> None:
    done = ask(*CALL)
    assert (done.exit_code, done.stdout) == (0, ANSWER + "\n")
    assert "complete · small" in done.stderr


def test_as_json_it_is_what_the_service_says(ask: Served) -> None:
    done = ask(*CALL, "--json", "--call-id", "mine", "--seed", "7", "--temperature", "0.5", "-i", "lookup")
    body = json.loads(done.stdout)
    assert (done.exit_code, body["answer"], body["call_id"], done.stderr) == (0, ANSWER, "mine", "")
    conflict = ask(*CALL, "--call-id", "mine")
    assert (conflict.exit_code, conflict.stdout) == (2, "")
    assert "call_id" in conflict.stderr


def test_a_prompt_may_be_piped_in(ask: Served) -> None:
    assert ask("call", "-t", "small", "-p", "-", stdin="?").stdout == ANSWER + "\n"
    assert ask("run", "small", "-", stdin="?").stdout == ANSWER + "\n"


def test_run_prints_the_answer_and_who_wrote_it(ask: Served) -> None:
    done = ask("run", "small", "?")
    assert (done.exit_code, done.stdout) == (0, ANSWER + "\n")
    assert f"small {len(ANSWER)} tokens" in done.stderr
    told = json.loads(ask("run", "small", "?", "--json").stdout)
    assert (told["answer"], told["finish_reason"], told["error"]) == (ANSWER, "stop", None)
    assert told["ghost"]["id"] == told["id"]


def test_run_tells_when_the_answer_breaks_off(ask: Served) -> None:
    writer = ask.service.writer
    writer.broken, writer.breaks_at = True, 10
    try:
        done = ask("run", "small", "?")
        failed = ask(*CALL)
    finally:
        writer.broken = False
    assert (done.exit_code, failed.exit_code) == (1, 1)
    assert done.stdout == ANSWER[:10] + "\n"
    assert "failed" in done.stderr and f"small {10} tokens" in done.stderr
    assert "adapter_error" in failed.stderr


def test_a_job_is_listed_and_waited_for(paused: Served) -> None:
    late = paused(*CALL, "--timeout", "1000")
    assert (late.exit_code, late.stdout) == (3, "")
    job_id = late.stderr.split("ghostrouter result ")[1].split()[0]
    listed = paused("jobs", "--status", "running")
    assert listed.stdout.split("\t")[:2] == [job_id, "running"]
    assert paused("result", job_id).exit_code == 3
    assert json.loads(paused("result", job_id, "--json").stdout)["status"] == "running"
    paused.go()
    done = paused("result", job_id, "--poll", "--poll-interval", "0.05")
    assert (done.exit_code, done.stdout) == (0, ANSWER + "\n")
    assert json.loads(paused("jobs", "--limit", "1", "--json").stdout)["jobs"][0]["status"] == "complete"


def test_a_job_is_cancelled(paused: Served) -> None:
    job_id = paused(*CALL, "--timeout", "1000").stderr.split("ghostrouter result ")[1].split()[0]
    assert paused("cancel", job_id).exit_code == 0
    done = paused("result", job_id)
    assert (done.exit_code, done.stdout) == (1, ANSWER[:10] + "\n")
    assert "cancelled" in done.stderr


def test_health(ask: Served) -> None:
    done = ask("health")
    assert done.exit_code == 0
    assert done.stdout.startswith("healthy")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[3:]] == [
        "model small ready, 0 running",
        "route default small",
    ]
    told = json.loads(ask("health", "--json").stdout)
    assert told["jobs"]["max_jobs"] == 10_000
    assert told["routes"]["default"]["tried"] == ["small"]


def test_what_is_down_and_what_is_tried_instead(capsys: pytest.CaptureFixture[str]) -> None:
    breaker = {"provider": "openai", "state": "open", "calls": 4, "bad": 3, "retry_after_s": 12.4, "opened": 1}
    show.status(
        {
            "models": {"small": {"ready": False, "running": None}, "large": {"ready": True, "running": 2}},
            "breakers": {"gpt": breaker},
            "routes": {
                "default": {"models": ["small", "large"], "tried": ["large"]},
                "code": {"models": ["gpt"], "tried": []},
            },
        }
    )
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "model small not ready",
        "model large ready, 2 running",
        "cloud gpt openai, breaker open, 3 of 4 calls failed, next try in 12 s",
        "route default large, without small",
        "route code no model can answer, without gpt",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("call", "-t", "nobody", "-p", "?"), 2, "nobody"),
        (("call", "-t", "small", "-p", "?", "-d", "strict"), 2, "seed"),
        (("call", "-t", "small", "-p", "?", "--timeout", "5"), 2, "soft_ms"),
        (("call", "-t", "small", "-p", "?", "-i", "dance"), 2, "dance"),
        (("call",), 2, "--target"),
        (("run", "nobody", "?"), 4, "nobody"),
        (("result", "job_none"), 4, "Job not found"),
        (("result", "../v1/models"), 4, ""),
        (("cancel", "job_none"), 4, "Job not found"),
        (("jobs", "--limit", "0"), 2, "limit"),
    ],
)
def test_what_goes_wrong_is_told(ask: Served, arguments: tuple[str, ...], status: int, words: str) -> None:
    done = ask(*arguments)
    assert (done.exit_code, done.stdout) == (status, "")
    assert words in done.stderr
    if "--" not in words and status == 4:
        as_json: Any = json.loads(ask(*arguments, "--json").stdout)
        assert as_json["errors"][0]["code"] in ("validation_error", "unknown")


def test_others_do_not_see_it(ask: Served) -> None:
    session = json.loads(ask(*CALL, "--json").stdout)["provenance"]["raw"]["session"]
    assert ask("result", session).exit_code == 0
    assert ask("result", session, key="other").exit_code == 4
    assert ask("jobs", key="other").stdout == ""


@pytest.mark.parametrize("command", [CALL, ("run", "small", "?"), ("result", "j"), ("jobs",), ("health",)])
def test_no_service_is_told(command: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    done = CliRunner().invoke(main, [*command, "--url", url])
    assert done.exit_code == 5
    assert url in done.stderr
    assert CliRunner().invoke(main, [*command, "--url", "nonsense"]).exit_code == 5
