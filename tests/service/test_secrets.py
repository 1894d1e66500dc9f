"""The real service: a key, a prompt and an answer are in no metric, span, log or event. All of them are searched."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from deployments.http import open_metrics
from ghostrouter.cli.serve import authorization
from tests.service.conftest import Service
from tests.service.questions import UNKNOWN_TO_SMALL
from tests.service.test_service import ask, text

pytestmark = pytest.mark.service

KEY, PROMPT, BEGUN = "gr-planted-key-9317", "planted-prompt-5150", "planted-answer-6262"
RAY_LOGS = Path("/tmp/ray/session_latest/logs")  # noqa: S108 - where Ray keeps them
_PATIENCE_S = 60.0
# Prompts and answers are searched in pieces of this length: what is cut somewhere is found as well.
_PIECE = 24


def test_they_are_nowhere(service: Service, http: httpx.Client) -> None:
    question, kept_before = UNKNOWN_TO_SMALL[3], _events(service)
    with httpx.Client(base_url=service.url, timeout=120, headers={"authorization": f"Bearer {KEY}"}) as mine:
        answer = ask(mine, question)
        begun = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": BEGUN}]
        fields = {"messages": begun, "continue_final_message": True, "add_generation_prompt": False, "max_tokens": 8}
        second = ask(mine, question, **fields)
        wrong = mine.post("/v1/chat/completions", json={"model": "ghost/auto", "messages": f"{PROMPT} {BEGUN} {KEY}"})
        assert wrong.status_code == 400
    assert answer["ghost"]["handoffs"] > 0
    pieces = _pieces(question.prompt) | _pieces(text(answer))
    # Answers to calls are kept, and those of earlier tests have some pieces in common with this one.
    common = {piece for piece in pieces if piece.encode() in kept_before}
    assert len(common) < len(pieces) / 2
    secrets = {KEY, PROMPT, BEGUN} | pieces
    sessions = {answer["ghost"]["id"], second["ghost"]["id"]}
    for name, look in (("spans", _spans), ("log", _log), ("event store", _events)):
        _wait(name, sessions, look, service)
    places = {
        "metrics": _metrics(service, http),
        "spans": _spans(service),
        "log": _log(service),
        "event store": _events(service),
    }
    for place, found in places.items():
        assert len(found) > 1_000, f"nothing was searched in {place}"
        for secret in secrets - common if place == "event store" else secrets:
            assert secret.encode() not in found, f"{secret} is in {place}"


def _pieces(whole: str) -> set[str]:
    assert len(whole) >= _PIECE
    return {whole[at : at + _PIECE] for at in range(0, len(whole) - _PIECE + 1, _PIECE // 2)}


def _wait(place: str, sessions: set[str], look: Callable[[Service], bytes], service: Service) -> None:
    """Wait until a place has all of the sessions: it is what is searched."""
    deadline = time.monotonic() + _PATIENCE_S
    while missing := {s for s in sessions if s.encode() not in look(service)}:
        assert time.monotonic() < deadline, f"{missing} not in {place}"
        time.sleep(0.5)


def _metrics(service: Service, http: httpx.Client) -> bytes:
    """What the ingress exports in both formats, and what the nodes export of all processes."""
    pages = [http.get("/metrics", headers={"accept": kind}).content for kind in ("*/*", open_metrics.CONTENT_TYPE)]
    found = httpx.get(f"{service.ray_api}/api/prometheus/sd", headers=authorization()).json()
    pages += [httpx.get(f"http://{target}/metrics").content for group in found for target in group["targets"]]
    return b"".join(pages)


def _spans(service: Service) -> bytes:
    return b"".join(service.collector.bodies)


def _log(service: Service) -> bytes:
    """The service's own log, and those of all of Ray's processes."""
    return service.log.read_bytes() + _files(RAY_LOGS)


def _events(service: Service) -> bytes:
    return _files(service.state)


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
