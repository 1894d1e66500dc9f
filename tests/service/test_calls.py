"""The call API through the real service, by HTTP and by the commands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.conftest import Service
from tests.service.questions import KNOWN_TO_SMALL

pytestmark = pytest.mark.service

QUESTION = KNOWN_TO_SMALL[3]
CALL: dict[str, Any] = {
    "caller": {"handle": "my-app", "account_id": "00000000-0000-0000-0000-000000000000"},
    "intent": {"class": "lookup"},
    "target": {"type": "model", "alias": "ghost-small"},
    "prompt": QUESTION.prompt,
    # However busy the machine is, it is answered at once.
    "options": {"timeouts": {"soft_ms": 120_000, "hard_ms": 240_000}},
}


def command(service: Service, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as people do."""
    program = str(Path(sys.executable).with_name("ghostrouter"))
    return subprocess.run(
        [program, *arguments, "--url", service.url], capture_output=True, text=True, check=False, timeout=300
    )


def test_a_call_is_answered_once_and_kept(http: httpx.Client) -> None:
    answer = http.post("/call", json={**CALL, "call_id": "once"}, timeout=300)
    body = answer.json()
    assert (answer.status_code, body["status"], body["answer"]) == (200, "complete", QUESTION.answer)
    assert http.post("/call", json={**CALL, "call_id": "once"}).json() == body
    job_id = body["provenance"]["raw"]["session"]
    assert http.get(f"/result/{job_id}").json() == body
    (job,) = [j for j in http.get("/jobs").json()["jobs"] if j["call_id"] == "once"]
    assert (job["job_id"], job["status"]) == (job_id, "complete")
    attempt = body["provenance"]["raw"]["trace"]["attempts"][0]
    assert (attempt["model_alias"], attempt["adapter_name"], attempt["status"]) == ("ghost-small", "vllm", "success")


def test_its_trace_is_kept_and_listed(http: httpx.Client) -> None:
    body = http.post("/call", json={**CALL, "target": {"type": "model", "alias": "ghost/auto"}}, timeout=300).json()
    session = body["provenance"]["raw"]["session"]
    trace = http.get(f"/v1/traces/{session}").json()
    assert trace["outcome"] == "complete"
    assert [s["model"] for s in trace["segments"]] == [
        a["model_alias"] for a in body["provenance"]["raw"]["trace"]["attempts"]
    ]
    assert session in [t["id"] for t in http.get("/v1/traces").json()["data"]]
    assert http.post("/v1/feedback", json={"session": session, "label": "correct"}).status_code == 200


def test_the_service_is_healthy(http: httpx.Client) -> None:
    body = http.get("/health").json()
    assert (body["status"], body["jobs"]["by_status"]["running"]) == ("healthy", 0)


def test_errors_have_the_published_shape(http: httpx.Client) -> None:
    refused = http.post("/call", json={**CALL, "prompt": ""})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "validation_error")
    missing = http.get("/result/none")
    assert (missing.status_code, missing.json()["errors"][0]["message"]) == (404, "Job not found: none")


def test_the_commands_answer(service: Service) -> None:
    ran = command(service, "run", "ghost-small", QUESTION.prompt)
    assert (ran.returncode, ran.stdout) == (0, QUESTION.answer + "\n")
    called = command(service, "call", "-t", "ghost-small", "-p", QUESTION.prompt, "--timeout", "120000", "--json")
    body = json.loads(called.stdout)
    assert (called.returncode, body["answer"]) == (0, QUESTION.answer)
    result = command(service, "result", body["provenance"]["raw"]["session"], "--poll")
    assert (result.returncode, result.stdout) == (0, QUESTION.answer + "\n")
    assert command(service, "health").returncode == 0
    assert command(service, "run", "nobody", "?").returncode == 4
