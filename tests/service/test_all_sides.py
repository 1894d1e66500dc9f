"""A handoff seen from all sides: one session, the same numbers wherever somebody looks."""

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import Browser, expect

from ghostrouter.config import Events
from ghostrouter.events.store import Store
from tests.dashboards.prometheus import Prometheus, prometheus
from tests.dashboards.test_page import WAIT_MS
from tests.deployments.otlp import ReceivedSpan
from tests.service.conftest import PRICE, Service
from tests.service.questions import UNKNOWN_TO_SMALL
from tests.service.test_service import body

pytestmark = pytest.mark.service

CALLER = "00f067aa0ba902b7"
SMALL, LARGE = "ghost-small", "ghost-large"
_PATIENCE_S = 300.0
T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, why: Callable[[], object] = lambda: "") -> T:
    """What `look` finds, as soon as it finds it."""
    deadline = time.monotonic() + _PATIENCE_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what} never came: {why()}"
        time.sleep(0.2)
    return found


@contextmanager
def feed(service: Service) -> Iterator[list[dict[str, Any]]]:
    """The rows of sessions that /v1/live tells while somebody listens."""
    rows, ready, over = list[dict[str, Any]](), threading.Event(), threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{service.url}/v1/live", timeout=_PATIENCE_S) as response:
            for line in response.iter_lines():
                ready.set()
                if over.is_set():
                    return
                if line.startswith('data: {"reset"'):
                    rows.extend(json.loads(line.removeprefix("data: "))["sessions"])

    thread = threading.Thread(target=listen)
    thread.start()
    assert ready.wait(_PATIENCE_S)
    try:
        yield rows
    finally:
        over.set()  # a comment comes every few seconds
        thread.join()


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer: the id of its trace, its signals, its seams, and the `ghost` object at its end."""

    trace_id: str
    signals: list[dict[str, Any]]
    seams: list[dict[str, Any]]
    ghost: dict[str, Any]

    @property
    def authors(self) -> set[str]:
        """The models that have written a part that was kept."""
        return {s["model"] for s in self.ghost["segments"] if s["tokens"]}


def answers(http: httpx.Client) -> Iterator[Answer]:
    """Answers to questions that small cannot answer alone."""
    for question in UNKNOWN_TO_SMALL[:12]:
        asked, trace_id = body(question, stream=True, ghost={"signals": True}), uuid.uuid4().hex
        headers = {"traceparent": f"00-{trace_id}-{CALLER}-01"}
        told = http.post("/v1/chat/completions", json=asked, headers=headers).text.splitlines()
        events = [json.loads(line.removeprefix("data: ")) for line in told if line.startswith("data: {")]
        ghosts = [event["ghost"] for event in events if "ghost" in event]
        signals = [token for ghost in ghosts for token in ghost.get("signals", ())]
        (end,) = [ghost for ghost in ghosts if "segments" in ghost]
        yield Answer(trace_id, signals, [ghost["seam"] for ghost in ghosts if "seam" in ghost], end)


def test_a_handoff_is_the_same_from_all_sides(
    browser: Browser, service: Service, http: httpx.Client, tmp_path: Path
) -> None:
    with prometheus([service.url.removeprefix("http://")], tmp_path) as server, feed(service) as rows:
        answer = next(answer for answer in answers(http) if answer.authors == {SMALL, LARGE})
        signals, seams, ghost = answer.signals, answer.seams, answer.ghost
        session = ghost["id"]
        row = until(
            lambda: next((r for r in rows if r["id"] == session and r["outcome"] != "running"), None), "its row"
        )
        exemplars = until(lambda: _exemplars(server, answer), "its exemplars", server.health)

    # The stream. All else is compared with its last word.
    segments, handoffs, cost_usd = ghost["segments"], ghost["handoffs"], ghost["cost_usd"]
    by_segment = [(s["model"], s["tokens"]) for s in segments]
    tokens, costs_usd = Counter[str](), Counter[str]()
    for segment in segments:
        tokens[segment["model"]] += segment["tokens"]
        costs_usd[segment["model"]] += segment["cost_usd"]
    assert [model for model, _ in by_segment][:2] == [SMALL, LARGE]
    assert handoffs == len(segments) - 1 > 0
    assert [s["cost_usd"] for s in segments] == pytest.approx([_price_usd(s) for s in segments])
    assert cost_usd == pytest.approx(sum(costs_usd.values())) and cost_usd > 0
    assert [Counter(t["segment"] for t in signals)[i] for i in range(len(segments))] == [n for _, n in by_segment]
    assert [s["model"] for s in segments[1:]] == [seam["to"] for seam in seams]
    assert [s["rollback_tokens"] for s in segments[1:]] == [seam["rollback_tokens"] for seam in seams]

    # The trace, and the rows of the event store.
    trace = http.get(f"/v1/traces/{session}").json()
    assert {key: trace[key] for key in ghost} == ghost
    assert (trace["outcome"], trace["completion_tokens"]) == ("complete", len(signals))
    store = Store(Events(folder=str(service.state)).database)
    stored = {event.kind: event.body for event in store.export(0.0) if event.session == session}
    store.close()
    assert stored["trace"] == trace
    assert stored.keys() == {"request", "signals", "trace"}
    assert [s["model"] for s in stored["signals"]["segments"]] == [model for model, n in by_segment if n]

    # The spans.
    spans = until(lambda: _spans(service, answer), "its spans")
    root = spans[0]
    assert (root.trace_id, root.parent_id, root.kind) == (answer.trace_id, CALLER, "SERVER")
    assert {s.trace_id for s in spans} == {answer.trace_id}
    told = root.attributes
    assert (told["ghostrouter.handoffs"], told["ghostrouter.kept_tokens"]) == (handoffs, len(signals))
    assert told["ghostrouter.cost_usd"] == pytest.approx(cost_usd)
    chats = sorted((s for s in spans if s.kind == "CLIENT"), key=lambda s: s.start_ns)
    for chat, segment in zip(chats, segments, strict=True):
        told, used = chat.attributes, segment["usage"]
        assert (chat.name, told["gen_ai.request.model"]) == (f"chat {segment['model']}", segment["model"])
        assert told["ghostrouter.kept_tokens"] == segment["tokens"]
        assert told["gen_ai.usage.input_tokens"] == used["prompt_tokens"]
        assert told["gen_ai.usage.output_tokens"] == used["completion_tokens"]
        assert told["ghostrouter.cost_usd"] == pytest.approx(segment["cost_usd"])
    drawn = sorted((s for s in spans if s.name == "seam"), key=lambda s: s.start_ns)
    names = {"from": "source", "to": "target", "reason": "reason", "kv_mode": "kv_mode"}
    for span, seam in zip(drawn, seams, strict=True):
        assert {k: span.attributes[f"ghostrouter.{v}"] for k, v in names.items()} == {k: seam[k] for k in names}
        assert span.attributes["ghostrouter.rollback_tokens"] == seam["rollback_tokens"]

    # The feed.
    assert [(part["model"], part["tokens"]) for part in row["segments"]] == by_segment
    assert (row["tokens"], row["outcome"], row["model"]) == (len(signals), "complete", segments[-1]["model"])

    # The exemplars that a Prometheus has stored.
    assert exemplars["sessions"] == {("complete",): 1.0}
    changes = Counter((seam["from"], seam["to"], seam["reason"], seam["kv_mode"]) for seam in seams)
    assert exemplars["handoffs"] == changes
    assert exemplars["tokens"] == {(model,): n for model, n in tokens.items()}
    assert exemplars["cost"] == {(model,): pytest.approx(usd) for model, usd in costs_usd.items()}
    assert tokens.keys() == costs_usd.keys() == {SMALL, LARGE}

    _page_shows(browser, service, session, by_segment, len(signals), handoffs, cost_usd)


def _price_usd(segment: dict[str, Any]) -> float:
    """What a segment costs by the configured prices."""
    price, used = PRICE, segment["usage"]
    prompt_usd = used["prompt_tokens"] * price["prompt_usd_per_mtok"]
    return float(prompt_usd + used["completion_tokens"] * price["completion_usd_per_mtok"]) / 1e6


def _spans(service: Service, answer: Answer) -> list[ReceivedSpan] | None:
    """All spans of the answer's trace, its root first: two stages of the router, segments, and seams between them."""
    found = [s for s in service.collector.spans if s.trace_id == answer.trace_id]
    root = [s for s in found if s.attributes.get("gen_ai.conversation.id") == answer.ghost["id"] and s.kind == "SERVER"]
    others = [s for s in found if s.kind != "SERVER"]
    return root + others if root and len(others) >= 2 * len(answer.ghost["segments"]) - 1 + 2 else None


_EXEMPLARS = {
    "sessions": ("ray_ghost_sessions_total", ("outcome",)),
    "handoffs": ("ray_ghost_handoffs_total", ("source", "target", "reason", "kv_mode")),
    "tokens": ("ray_ghost_tokens_total", ("model",)),
    "cost": ("ray_ghost_cost_usd_total", ("model",)),
}


def _exemplars(server: Prometheus, answer: Answer) -> dict[str, dict[tuple[str, ...], float]] | None:
    """The values of the session's exemplars, by metric and labels. None: they have not all come."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for name, (metric, labels) in _EXEMPLARS.items():
        mine = [e for e in server.exemplars(metric) if e["labels"]["session_id"] == answer.ghost["id"]]
        assert {e["labels"]["trace_id"] for e in mine} <= {answer.trace_id}
        found[name] = {tuple(e["series"][label] for label in labels): float(e["value"]) for e in mine}
    seams = {(seam["from"], seam["to"], seam["reason"], seam["kv_mode"]) for seam in answer.seams}
    wanted = {"sessions": 1, "handoffs": len(seams), "tokens": len(answer.authors), "cost": len(answer.authors)}
    return found if all(len(found[name]) >= n for name, n in wanted.items()) else None


def _page_shows(
    browser: Browser,
    service: Service,
    session: str,
    by_segment: list[tuple[str, int]],
    tokens: int,
    handoffs: int,
    cost_usd: float,
) -> None:
    """The page's replay of the session."""
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{service.url}/dashboard#/session/{session}")
    expect(page.locator(".seam")).to_have_count(handoffs)
    shown = [tuple(tile.inner_text().split("\n")[:2]) for tile in page.locator(".tile").all()]
    (label, cost), parts = shown[2], shown[3:]
    assert [(name.lower(), value) for name, value in shown[:2]] == [
        ("tokens", str(tokens)), ("changes of model", str(handoffs))
    ]  # fmt: skip
    assert (label.lower(), float(cost.removeprefix("$"))) == ("cost", float(f"{cost_usd:.2g}"))
    assert [(name.strip().lower(), int(value.split(" ")[0])) for name, value in parts] == by_segment[:8]
    page.close()
