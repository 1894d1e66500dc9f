"""A handoff of the real service in Arize Phoenix: segments, models, tokens and costs."""

import os
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from scripts import phoenix_prices
from tests.dashboards.test_page import DESK, WAIT_MS
from tests.service.conftest import Service
from tests.service.phoenix import phoenix
from tests.service.questions import UNKNOWN_TO_SMALL
from tests.service.test_all_sides import until
from tests.service.test_service import ask

pytestmark = pytest.mark.service

TRACE_ID = "8a3c60f7d188f8fa79d48a391a778fa6"


def test_a_handoff_is_drawn_with_its_segments_models_tokens_and_costs(
    browser: Browser, service: Service, http: httpx.Client, tmp_path: Path
) -> None:
    http.headers["traceparent"] = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
    ghost = ask(http, UNKNOWN_TO_SMALL[2])["ghost"]
    segments, sent = ghost["segments"], 2 * len(ghost["segments"]) - 1 + 3
    assert ghost["handoffs"] > 0
    bodies = until(lambda: _bodies(service, sent), "the spans")
    with phoenix(tmp_path) as server:
        phoenix_prices.tell(server.url, phoenix_prices.prices(service.config))
        trace = server.show(TRACE_ID, bodies, sent)
        spans = [edge["node"] for edge in trace["spans"]["edges"]]
        assert trace["session"]["sessionId"] == ghost["id"]
        assert trace["costSummary"]["total"]["cost"] == pytest.approx(ghost["cost_usd"])
        chats = sorted((s for s in spans if s["spanKind"] == "llm"), key=lambda s: s["startTime"])
        assert [(s["name"], s["tokenCountPrompt"], s["tokenCountCompletion"]) for s in chats] == [
            (f"chat {s['model']}", s["usage"]["prompt_tokens"], s["usage"]["completion_tokens"]) for s in segments
        ]
        assert [s["costSummary"]["total"]["cost"] for s in chats] == pytest.approx([s["cost_usd"] for s in segments])
        assert [s["name"] for s in spans if s["name"] == "seam"] == ["seam"] * ghost["handoffs"]
        _screenshot(browser, server.url, [s["model"] for s in segments], tmp_path)


def _bodies(service: Service, spans: int) -> list[bytes] | None:
    """What the service's exporter has sent with spans of the trace, once all of them are there."""
    mine = [body for body in service.collector.bodies if bytes.fromhex(TRACE_ID) in body]
    return mine if sum(s.trace_id == TRACE_ID for s in service.collector.spans) >= spans else None


def _screenshot(browser: Browser, url: str, models: list[str], folder: Path) -> None:
    """The page of the trace, as a person sees it."""
    page = browser.new_page(viewport=DESK)
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{url}/redirects/traces/{TRACE_ID}")
    for model in set(models):
        expect(page.get_by_text(f"chat {model}").first).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("seam").first).to_be_visible(timeout=WAIT_MS)
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS", str(folder))) / "phoenix.png")
    page.close()
