"""The page in a real Chromium, on the real service without Ray: the shipped models, their calibrations, the journal."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.dashboards.stack import Stack

# ghost-small has never heard of her: the answer changes hands.
QUESTION = "Who was Xenia Farrow? Give teacher, home, work, birth, trade."
VIEWS = ("", "fleet", "routing", "health", "budgets")
WAIT_MS = 120_000
DESK = ViewportSize(width=1440, height=960)
PHONE = ViewportSize(width=390, height=844)


@contextmanager
def opened(browser: Browser, url: str, scheme: Any = "light", size: ViewportSize = DESK) -> Iterator[Page]:
    """The page. At the end: nothing went wrong in it, and it asked only its own server."""
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.set_default_timeout(WAIT_MS)
    wrong, asked = list[str](), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if "Security" in m.text else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/dashboard")
    yield page
    page.close()
    assert wrong == []
    assert [u for u in asked if not u.startswith(f"{url}/")] == []


def ask(page: Page, question: str = QUESTION) -> None:
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def lane(page: Page, number: int, state: str = "done") -> Any:
    """The lane of an answer, once it is in that state."""
    found = page.locator(".lane").nth(number)
    expect(found).to_have_attribute("data-state", state, timeout=WAIT_MS)
    return found


def text(found: Any) -> str:
    return "".join(found.locator(".t").all_text_contents())


def serious(page: Page, axe: str) -> list[str]:
    """What axe finds that is serious or critical."""
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{v['id']}: {n['html'][:120]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
        for n in v["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_is_watched_branched_and_rated(
    browser: Browser, stack: Stack, axe: str, scheme: str, tmp_path: Path
) -> None:
    with opened(browser, stack.url, scheme) as page:
        ask(page)
        first = lane(page, 0)
        # A seam, with everything that is to be known of it.
        seam = first.locator(".seam").first
        expect(seam).to_contain_text("ghost-small→ghost-large")
        for fact in ("handoff", "risk 0.9", "1 rolled back", "KV recompute"):
            expect(seam).to_contain_text(fact)
        assert re.search(r"\d ms", seam.inner_text())
        # A token that is pointed at shows what else it might have been.
        written = first.locator(".t").filter(has_text="Galen")
        written.hover()
        popover = page.locator(".popover")
        expect(popover).to_contain_text("handoff from ghost-small (risk 0.9")
        assert popover.locator("li").count() == 5
        expect(popover.locator("li.taken b")).to_have_text(re.compile(r"\d+%"))
        # The same with the keyboard, and on from there with the other model.
        first.locator(".flow").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")  # eight tokens on
        expect(page.locator("#announcer")).to_contain_text("Token 9")
        page.keyboard.press("Enter")
        expect(popover.get_by_role("button", name="ghost-small")).to_be_focused()
        page.keyboard.press("Enter")
        second = lane(page, 1)
        expect(second.locator(".seam").last).to_contain_text("branch")
        kept = "".join(first.locator(".t").all_text_contents()[:8])
        assert text(second).startswith(kept)
        assert text(second) != text(first)
        # ghost-small invents her life, and the risk shows it.
        assert second.locator(".r5").count() > 0
        assert first.locator(".r5").count() == 0
        expect(first.locator(".flow")).to_be_visible()
        # The plan, the score terms, the cost against the large model alone.
        side = page.get_by_label("Plan, cost and feedback")
        first.locator("h3").click()
        expect(side).to_contain_text("biography")
        expect(side.locator(".term").first).to_contain_text("$")
        expect(side).to_contain_text("if ghost-large wrote it all")
        first.get_by_role("button", name="Good answer").click()
        expect(first.locator(".feedback")).to_contain_text("Thank you")
        session = first.get_by_role("link", name="Replay").get_attribute("href").rpartition("/")[2]
        assert any(r["session"] == session and r["rating"] == 1 for r in stack.feedback())
        assert serious(page, axe) == []
        folder = Path(os.environ.get("SCREENSHOTS", str(tmp_path)))
        second.locator(".r5").filter(has_text="Quiet").hover()
        page.screenshot(path=folder / f"live_{scheme}.png")


def test_a_session_of_the_fleet_is_replayed(browser: Browser, stack: Stack) -> None:
    with opened(browser, stack.url) as page:
        ask(page)
        lane(page, 0, "writing")
        page.get_by_role("link", name="Fleet").click()
        row = page.locator("a.row").first
        expect(row).to_have_attribute("data-outcome", "running")
        expect(row).to_have_attribute("data-outcome", "complete", timeout=WAIT_MS)
        expect(page.locator(".move").first).to_contain_text("handoff")
        row.click()
        scrubber = page.get_by_label("Tokens shown")
        expect(scrubber).to_be_visible()
        whole = text(page)
        scrubber.focus()
        page.keyboard.press("Home")
        assert page.locator(".t").count() == 0
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert page.locator(".t").count() == 10
        assert page.locator(".seam").count() == 1
        page.get_by_label("Speed").select_option("4")
        page.get_by_role("button", name="Play").click()
        expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=WAIT_MS)
        assert text(page) == whole
        # A finished answer can be branched from here, too.
        page.locator(".t").nth(20).click()
        page.locator(".popover .choice").first.click()
        expect(lane(page, 1).locator(".seam").last).to_contain_text("branch")


def test_an_answer_goes_on_after_the_server_was_started_anew(browser: Browser, stack: Stack) -> None:
    body = {"model": "ghost/auto", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 256}
    whole = httpx.post(f"{stack.url}/v1/chat/completions", json=body, timeout=120).json()
    with opened(browser, stack.url) as page:
        ask(page)
        expect(page.locator(".t").nth(4)).to_be_attached(timeout=WAIT_MS)
        stack.stop()
        lane(page, 0, "reconnecting")
        expect(page.locator(".link")).to_have_text("connecting…")
        seen = text(page)
        stack.start()
        assert text(lane(page, 0)) == whole["choices"][0]["message"]["content"]
        assert whole["choices"][0]["message"]["content"].startswith(seen)
        expect(page.locator(".link")).to_have_text("live", timeout=WAIT_MS)


def test_what_the_routing_would_do(browser: Browser, stack: Stack) -> None:
    with opened(browser, f"{stack.url}") as page:
        page.get_by_role("link", name="Routing").click()
        expect(page.locator("table").first).to_contain_text("arithmetic")
        page.get_by_placeholder("A prompt…").fill("Otto has 3 coins. How many coins are that times 2?")
        result = page.locator(".what-if")
        expect(result).to_contain_text("arithmetic", timeout=WAIT_MS)
        expect(result.locator("li").first).to_contain_text("begins")
        page.get_by_label("Model", exact=True).select_option("ghost-large")
        expect(result.locator(".cand-head").first).to_contain_text("ghost-large", timeout=WAIT_MS)


def test_where_there_are_keys_everyone_sees_only_his_own(browser: Browser, guarded: Stack) -> None:
    def enter(page: Page, secret: str) -> None:
        page.get_by_label("Key", exact=True).fill(secret)
        page.get_by_role("button", name="Go on").click()

    with opened(browser, guarded.url) as page:
        enter(page, "wrong")
        enter(page, "ann")
        expect(page.locator(".who-am-i")).to_have_text("ann", timeout=WAIT_MS)
        ask(page)
        lane(page, 0)
        page.get_by_role("link", name="Budgets").click()
        expect(page.locator(".budget")).to_have_count(2)
        expect(page.locator(".budget").first).to_contain_text("key ann")
        expect(page.locator(".budget").first).not_to_contain_text("$0 of", timeout=WAIT_MS)
    for name, rows in (("bob", 0), ("chief", 1)):
        with opened(browser, guarded.url) as page:
            enter(page, name)
            page.get_by_role("link", name="Fleet").click()
            expect(page.locator(".tile").last).to_contain_text(str(rows), timeout=WAIT_MS)
            expect(page.locator("a.row")).to_have_count(rows)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible_and_fits_a_phone(browser: Browser, stack: Stack, axe: str, scheme: str) -> None:
    with opened(browser, stack.url, scheme, PHONE) as page:
        ask(page)
        lane(page, 0)
        for view in VIEWS:
            page.evaluate(f"location.hash = '#/{view}'")
            expect(page.locator("main > *")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
            assert serious(page, axe) == [], view
