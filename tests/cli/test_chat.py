"""`ghostrouter chat` against the HTTP application: in a pipe, and as if in a terminal."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ghostrouter.cli import chat
from ghostrouter.cli.chat_stream import shade
from ghostrouter.cli.main import main
from tests.cli.test_call import Served, ask
from tests.deployments.in_process import ANSWER

__all__ = ["ask"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard input looks like a terminal."""
    monkeypatch.setattr(chat, "_is_terminal", lambda: True)


def test_a_pipe_has_one_question_a_line_and_no_prompts(ask: Served) -> None:
    done = ask("chat", "--model", "small", stdin="Who?\n\nWhere?\n")
    assert done.exit_code == 0, done.output
    assert done.stdout.count(ANSWER) == 2
    assert "> " not in done.stdout and "good?" not in done.output
    assert "\x1b" not in done.stdout
    assert "small" in done.stderr


def test_one_question_is_answered_and_ends(ask: Served) -> None:
    assert ask("chat", "--model", "small", "Who?").stdout.strip() == ANSWER


def test_an_answer_is_rated_in_a_terminal(ask: Served, terminal: None) -> None:
    done = ask("chat", "--model", "small", "--no-health-check", stdin="Who?\nn\nlarge\nWho?\ny\n/quit\n")
    assert done.exit_code == 0, done.output
    assert done.output.count("stored") == 2
    stored = [e.body for e in ask.service.events.store.export(0.0) if e.kind == "feedback"]
    assert {b.get("correct_model") for b in stored} >= {"large", None}
    assert {b["rating"] for b in stored} == {-1.0, 1.0}


def test_the_conversation_goes_on(ask: Served, terminal: None) -> None:
    before = len(list(ask.service.events.store.export(0.0)))
    ask("chat", "--model", "small", "--no-health-check", "--no-feedback", stdin="Who?\nAnd where?\n")
    ask("chat", "--model", "small", "x")
    requests = [e for e in ask.service.events.store.export(0.0) if e.kind == "request"]
    assert len(requests) > before / 4
    assert 3 in {len(e.body["turns"]) for e in requests}


def test_commands(ask: Served, terminal: None, tmp_path: Path) -> None:
    lines = ["/help", "/model", "/model small", "/route Who is it?", "/health", "/nonsense", f"@image {tmp_path}/x.txt"]
    done = ask("chat", "--no-feedback", "--no-health-check", stdin="\n".join(lines) + "\n")
    for word in ("@image FILE", "ghost/auto", "small", "plan ", "healthy", "no command /nonsense", "no picture"):
        assert word in done.output, word


def test_a_service_that_is_not_there_is_told() -> None:
    done = CliRunner().invoke(main, ["chat", "Who?", "--url", "http://127.0.0.1:9"])
    assert (done.exit_code, done.stdout) == (5, "")
    assert "No service" in done.stderr


def test_what_the_terminal_is_told_by_other_commands_does_not_end_the_chat(ask: Served, terminal: None) -> None:
    done = ask("chat", "--no-feedback", "--no-health-check", "--config", "none.yaml", stdin="/stats\n/model\n")
    assert "none.yaml" in done.output
    assert "ghost/auto" in done.stdout


def test_risk_is_a_shade() -> None:
    assert [shade(r) for r in (None, 0.0, 0.3, 0.9)] == ["", "dim", "red", "bold red"]
