"""The page loses nothing of a fast answer and of many sessions. How much time that takes: bench/page.py."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from bench.page_load import SESSIONS, TOKENS, synthetic_page
from tests.dashboards.test_page import WAIT_MS, ask


@pytest.fixture(scope="module")
def synthetic() -> Iterator[str]:
    with synthetic_page() as url:
        yield url


def test_every_token_of_a_fast_answer_is_shown(browser: Browser, synthetic: str) -> None:
    page = browser.new_page()
    page.goto(f"{synthetic}/dashboard/")
    ask(page, "Count")
    expect(page.locator(".lane")).to_have_attribute("data-state", "done", timeout=WAIT_MS)
    assert page.locator(".t").count() == TOKENS
    page.close()


def test_five_hundred_sessions_are_shown(browser: Browser, synthetic: str) -> None:
    page = browser.new_page()
    page.goto(f"{synthetic}/dashboard/#/fleet")
    expect(page.locator("a.row")).to_have_count(SESSIONS, timeout=WAIT_MS)
    page.close()
