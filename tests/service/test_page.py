"""The page on the real service: Ray, vLLM, the shipped models."""

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboards.test_page import WAIT_MS, ask, lane, opened, text
from tests.service.conftest import Service

pytestmark = pytest.mark.service


def test_an_answer_is_watched_branched_and_found_in_the_fleet(browser: Browser, service: Service) -> None:
    with opened(browser, service.url) as page:
        ask(page)
        first = lane(page, 0)
        seam = first.locator(".seam").first
        expect(seam).to_contain_text("ghost-small→ghost-large")
        expect(seam).to_contain_text("handoff")
        first.locator(".t").filter(has_text="Galen").click()
        popover = page.locator(".popover")
        assert popover.locator("ol.others li").count() == 5
        popover.get_by_role("button", name="ghost-small").click()
        second = lane(page, 1)
        expect(second.locator(".seam").last).to_contain_text("branch")
        assert text(second).startswith("Xenia Farrow learned")
        assert text(second) != text(first)
        assert second.locator(".r5").count() > 0
        first.get_by_role("button", name="Good answer").click()
        expect(first.locator(".feedback")).to_contain_text("Thank you", timeout=WAIT_MS)
        page.get_by_role("link", name="Fleet").click()
        expect(page.locator("a.row[data-outcome=complete]").first).to_be_visible(timeout=WAIT_MS)
        page.locator("a.row").first.click()
        expect(page.locator(".seam").last).to_contain_text("branch", timeout=WAIT_MS)
        page.get_by_role("link", name="Health").click()
        expect(page.locator("table").first).to_contain_text("ready", timeout=WAIT_MS)
