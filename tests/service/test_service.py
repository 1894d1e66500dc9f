"""What a client sees of the real service."""

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ghostrouter.cli.serve import authorization
from ghostrouter.events import metrics
from models import questions
from tests.service.conftest import Service
from tests.service.questions import KNOWN_TO_SMALL, UNKNOWN_TO_SMALL

pytestmark = pytest.mark.service

# What has never counted is not exported: nothing has gone wrong yet, nobody was refused, no model of the cloud and no
# job was called, no configuration was changed, no task has tiers, nothing was guessed ahead, there are no budgets, no
# token was held (the small model hands off as soon as risk is raised), there is no GPU, and there are too few tokens to
# speak of a rate of alarms.
SILENT = {
    f"ray_{m.name}"
    for m in (
        *(metrics.EXPIRED, metrics.FLUSH_FAILURES, metrics.EVENTS_SPOOLED, metrics.EVENTS_LOST, metrics.REFUSALS),
        *(metrics.BREAKER, metrics.BREAKER_CHANGES, metrics.CLOUD_CALLS, metrics.CLOUD_TOKENS, metrics.JOBS),
        *(metrics.ALARM_RATE, metrics.DRIFT, metrics.CHANGES, metrics.PROMOTION, metrics.DRAFT_ACCEPTANCE),
        *(metrics.HEDGES, metrics.LATE_VERDICTS, metrics.CALLEE_UP, metrics.CALLS_SKIPPED),
        *(metrics.HELD_TOKENS, metrics.HOLD_TIME),
        *(metrics.BUDGET_LIMIT, metrics.BUDGET_SPENT, metrics.BUDGET_RESERVED),
        *(metrics.GPU_USE, metrics.GPU_MEMORY_USE, metrics.GPU_POWER),
        *(metrics.JOURNAL_UP, metrics.JOURNAL_UNWRITTEN, metrics.JOURNAL_DROPPED, metrics.JOURNAL_BYTES),
    )
}


def body(question: questions.Question, **fields: Any) -> dict[str, Any]:
    return {"model": "ghost/auto", "messages": [{"role": "user", "content": question.prompt}], **fields}


def ask(http: httpx.Client, question: questions.Question, **fields: Any) -> dict[str, Any]:
    response = http.post("/v1/chat/completions", json=body(question, **fields))
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def authors(ghost: dict[str, Any], text: str) -> None:
    """The segments cover the text without gap or overlap."""
    edges = [s["characters"] for s in ghost["segments"]]
    assert [begin for begin, _ in edges] == [0, *(end for _, end in edges[:-1])]
    assert edges[-1][1] == len(text)


def test_the_start_is_told(service: Service) -> None:
    for name in (
        "Ingress",
        "Classifier",
        "LocalEngine:ghost-small",
        "LocalEngine:ghost-large",
        "Telemetry",
        "Replay",
        "EventStore",
    ):
        assert re.search(rf"{name} +ready after", service.screen), service.screen
    assert f"{service.url}/v1" in service.screen
    assert len(service.screen.splitlines()) < 25


def test_the_printed_curl_line_streams_an_answer(service: Service) -> None:
    line = next(line for line in service.screen.splitlines() if line.startswith("curl"))
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("data: [DONE]")
    assert '"handoffs":0' not in done.stdout


def test_the_openai_sdk_streams_an_answer_with_a_handoff(service: Service) -> None:
    client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none")
    question, text, usage, finish = UNKNOWN_TO_SMALL[0], "", None, None
    ghost: dict[str, Any] = {}
    stream = client.chat.completions.create(
        model="ghost/auto",
        messages=[{"role": "user", "content": question.prompt}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        ghost = getattr(chunk, "ghost", ghost)
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert questions.is_correct(question, text)
    assert (finish, [s["model"] for s in ghost["segments"]][:2]) == ("stop", ["ghost-small", "ghost-large"])
    assert usage is not None
    assert usage.completion_tokens == sum(s["tokens"] for s in ghost["segments"])
    authors(ghost, text)
    url, mine = f"{service.url}/v1/traces/{ghost['id']}", {"authorization": "Bearer none"}
    assert httpx.get(url).status_code == 404, "it is for the key that asked"
    trace = httpx.get(url, headers=mine).json()
    assert trace["segments"] == ghost["segments"]
    assert (trace["outcome"], trace["completion_tokens"]) == ("complete", usage.completion_tokens)


def test_what_small_knows_it_mostly_answers_alone(http: httpx.Client) -> None:
    answers = [ask(http, q) for q in KNOWN_TO_SMALL[:10]]
    assert [a for q, a in zip(KNOWN_TO_SMALL, answers, strict=False) if not questions.is_correct(q, text(a))] == []
    segments = [s for a in answers for s in a["ghost"]["segments"]]
    by_small = sum(s["tokens"] for s in segments if s["model"] == "ghost-small")
    assert by_small >= 0.8 * sum(s["tokens"] for s in segments)


def text(answer: dict[str, Any]) -> str:
    content: str = answer["choices"][0]["message"]["content"]
    return content


def test_many_at_once(http: httpx.Client) -> None:
    asked = questions.sample("test", 98, 16)
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda q: ask(http, q), asked))
    for answer in answers:
        authors(answer["ghost"], text(answer))
    right = sum(questions.is_correct(q, text(a)) for q, a in zip(asked, answers, strict=True))
    assert right >= 13


def test_stop_and_max_tokens(http: httpx.Client) -> None:
    whole = text(ask(http, KNOWN_TO_SMALL[0], model="ghost-small"))
    stop = whole.split(". ")[0]
    stopped = ask(http, KNOWN_TO_SMALL[0], model="ghost-small", stop=[whole[len(stop) - 4 : len(stop) + 2]])
    assert text(stopped) == whole[: len(stop) - 4]
    assert stopped["choices"][0]["finish_reason"] == "stop"
    short = ask(http, KNOWN_TO_SMALL[0], model="ghost-small", max_tokens=5)
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] == 5
    assert whole.startswith(text(short))


def test_logprobs_are_contiguous_over_handoffs(http: httpx.Client) -> None:
    answer = ask(http, UNKNOWN_TO_SMALL[1], logprobs=True, top_logprobs=3)
    entries = answer["choices"][0]["logprobs"]["content"]
    assert answer["ghost"]["handoffs"] > 0
    assert "".join(e["token"] for e in entries) == text(answer)
    assert len(entries) == answer["usage"]["completion_tokens"]
    assert all(len(e["top_logprobs"]) == 3 for e in entries)


def test_a_seed_gives_the_same_sample(http: httpx.Client) -> None:
    first, second = (ask(http, UNKNOWN_TO_SMALL[0], model="ghost-small", temperature=1.2, seed=5) for _ in range(2))
    assert text(first) == text(second)


def test_an_answer_can_be_begun_by_the_client(http: httpx.Client) -> None:
    question = KNOWN_TO_SMALL[0]
    cut = question.answer.index(" ", 30)  # inside a word the model would have to go on from tokens it never writes
    begun, rest = question.answer[:cut], question.answer[cut:]
    messages = [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": begun}]
    answer = ask(
        http, question, messages=messages, model="ghost-large", continue_final_message=True, add_generation_prompt=False
    )
    assert text(answer) == rest


def test_models_and_health(http: httpx.Client) -> None:
    assert [m["id"] for m in http.get("/v1/models").json()["data"]] == [
        *("ghost/auto", "ghost/economy", "ghost/balanced", "ghost/quality", "ghost/arithmetic", "ghost/biography"),
        *("ghost-small", "ghost-large", "ghost-adapted", "ghost-seeing", "minilm"),
    ]
    assert http.get("/v1/models/ghost/auto").json()["id"] == "ghost/auto"
    assert (http.get("/healthz").status_code, http.get("/healthz").json()) == (200, {"ok": True})


@pytest.mark.parametrize(
    ("request_body", "status", "words"),
    [
        ('{"model": "ghost/auto", "messages": []}', 400, "messages"),
        ('{"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]}', 404, "does not exist"),
        ("{not json", 400, "not valid JSON"),
        ("[]", 400, "JSON object"),
        (
            '{"model": "ghost/auto", "messages": [{"role": "user", "content": "' + "x " * 9_000 + '"}]}',
            400,
            "Shorten",
        ),
        (" " * 5_000_000, 413, "Send less"),
    ],
    ids=["empty messages", "unknown model", "no JSON", "no object", "too long a prompt", "too large a body"],
)
def test_bad_requests(http: httpx.Client, request_body: str, status: int, words: str) -> None:
    response = http.post("/v1/chat/completions", content=request_body)
    assert response.status_code == status
    error = response.json()["error"]
    assert words in error["message"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert "Traceback" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/traces/no", 404), ("GET", "/nope", 404), ("GET", "/v1/chat/completions", 405)],
)
def test_other_errors_have_the_same_shape(http: httpx.Client, method: str, path: str, status: int) -> None:
    response = http.request(method, path)
    assert response.status_code == status
    assert "message" in response.json()["error"]


def test_every_metric_is_exported(service: Service, http: httpx.Client) -> None:
    wait_for({f"ray_{m.name}" for m in metrics.ALL} - SILENT, service, http)


def wait_for(expected: set[str], service: Service, http: httpx.Client) -> None:
    """Ray collects metrics every few seconds, and exports a gauge only where it has been set lately."""
    seen: set[str] = set()
    deadline = time.monotonic() + 60
    while missing := expected - seen:
        assert time.monotonic() < deadline, missing
        ask(http, UNKNOWN_TO_SMALL[0])
        seen |= scrape(service)


def scrape(service: Service) -> set[str]:
    """The names of all metrics that the nodes of the cluster export."""
    found = httpx.get(f"{service.ray_api}/api/prometheus/sd", headers=authorization()).raise_for_status().json()
    pages = [httpx.get(f"http://{target}/metrics").text for group in found for target in group["targets"]]
    return {family.name for page in pages for family in text_string_to_metric_families(page)}
