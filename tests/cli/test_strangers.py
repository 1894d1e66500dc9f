"""The commands against what is no GhostRouter, or one that fails: an exit status that tells the truth, no traceback."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from ghostrouter.cli.main import main

CALL = ("call", "-t", "m", "-p", "?")
RUN = ("run", "m", "?")
COMMANDS = (CALL, RUN, ("result", "j", "--poll"), ("cancel", "j"), ("jobs",), ("health",), ("health", "--json"))


class Said(NamedTuple):
    """An answer: status, type and body. It ends with the connection."""

    status: int
    kind: str
    body: bytes


class Stranger:
    """A server that answers everything alike."""

    def __init__(self) -> None:
        self.says = Said(200, "text/plain", b"")
        self.keys: list[str | None] = []
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.keys.append(self.headers.get("authorization"))
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(stranger.says.status)
                self.send_header("content-type", stranger.says.kind)
                self.end_headers()
                self.wfile.write(stranger.says.body)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    made = Stranger()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def ask(stranger: Stranger) -> Callable[..., Result]:
    def asked(said: Said, *arguments: str, **options: Any) -> Result:
        stranger.says = said
        return CliRunner().invoke(main, [*arguments, "--url", stranger.url], **options)

    return asked


HTML = Said(200, "text/html", b"<html>welcome</html>")
EMPTY = Said(200, "application/json", b"{}")
OTHER = Said(200, "application/json", b'{"status": "ok"}')
NUMBER = Said(500, "application/json", b'{"status": 500, "error": "Internal Server Error"}')
LIST = Said(200, "application/json", b"[1]")
BINARY = Said(200, "application/octet-stream", b"\xff\x00data: {\n\n")
GARBAGE = Said(200, "text/event-stream", b"data: nonsense\n\n")
NUMBERS = Said(200, "text/event-stream", b"data: [1]\n\n")
NO_UTF8 = Said(200, "text/event-stream", b"data: \xff\n\n")
BAD_GATEWAY = Said(502, "text/html", b"<html>bad gateway</html>")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "said", [HTML, EMPTY, OTHER, NUMBER, LIST, BINARY, GARBAGE, NUMBERS, NO_UTF8, BAD_GATEWAY], ids=lambda s: s.body[:9]
)
def test_what_is_no_ghostrouter_is_told(ask: Callable[..., Result], said: Said, command: tuple[str, ...]) -> None:
    done = ask(said, *command)
    assert done.exit_code == 5, done.output
    assert done.stderr.strip()
    assert isinstance(done.exception, SystemExit)


def chunk(text: str = "", finish: str | None = None) -> bytes:
    return (
        b"data: " + json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": finish}]}).encode() + b"\n\n"
    )


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (chunk("so", "stop") + b"data: [DONE]\n\n", 0, ""),
        (chunk("so", "length"), 6, "cut short"),
        (chunk("so"), 1, "broke off"),
        (chunk("so") + b'data: {"error": {"message": "no more"}}\n\n', 1, "no more"),
        (chunk("so", "tool_calls"), 1, "tool_calls"),
    ],
)
def test_how_a_stream_ends_is_told(ask: Callable[..., Result], body: bytes, status: int, words: str) -> None:
    done = ask(Said(200, "text/event-stream", body), *RUN)
    assert (done.exit_code, done.stdout) == (status, "so\n")
    assert words in done.stderr
    told = json.loads(ask(Said(200, "text/event-stream", body), *RUN, "--json").stdout)
    assert told["answer"] == "so"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 7), (402, 7), (403, 7), (404, 4), (409, 2), (413, 2), (429, 7), (500, 5), (503, 5)],
)
@pytest.mark.parametrize("command", [CALL, RUN, ("result", "j"), ("jobs",), ("health",)])
def test_errors_of_both_shapes(ask: Callable[..., Result], status: int, code: int, command: tuple[str, ...]) -> None:
    published = {"errors": [{"code": "validation_error", "message": "not so", "details": {"limit_usd": 1}}]}
    for body in (published, {"error": {"message": "not so"}}):
        done = ask(Said(status, "application/json", json.dumps(body).encode()), *command)
        assert (done.exit_code, done.stdout) == (code, "")
        assert "not so" in done.stderr
        told = ask(Said(status, "application/json", json.dumps(body).encode()), *command, "--json")
        assert (told.exit_code, json.loads(told.stdout)["errors"][0]["message"]) == (code, "not so")


def test_what_cannot_be_read_is_wrong_input(ask: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_bytes(b"\xff\xfe\x00")
    done = ask(HTML, *CALL, "-c", str(file))
    assert (done.exit_code, "UTF-8" in done.stderr) == (2, True)
    done = ask(HTML, "call", "-t", "m", "-p", "-", input=b"\xff\xfe")
    assert (done.exit_code, "UTF-8" in done.stderr) == (2, True)
    done = ask(HTML, *RUN, "--api-key", "schlüssel")
    assert (done.exit_code, "schlüssel" in done.stderr) == (2, False)


def test_traces_are_recorded_with_the_key_and_from_the_url_of_the_environment(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other commands knew both variables. With keys, `traces record` got a 401."""
    monkeypatch.setenv("GHOSTROUTER_URL", stranger.url)
    monkeypatch.setenv("GHOSTROUTER_API_KEY", "my-key")
    (tmp_path / "questions.jsonl").write_text('{"prompt": "p", "answer": "a"}\n')
    stranger.says, stranger.keys = Said(401, "application/json", b"{}"), []
    files = ("--questions", str(tmp_path / "questions.jsonl"), "--out", str(tmp_path / "traces.jsonl"))
    CliRunner().invoke(main, ["traces", "record", *files, "--model", "m"])
    assert stranger.keys == ["Bearer my-key"]
