"""Does the live page keep up with a fast answer and with many sessions? In a real Chromium.

    make bench NAME=page [SECONDS=3] [ROUNDS=5]

`*_main_thread_share` is the share of one processor that the page's main thread takes, `*_frames_per_s` the frames that
it draws: while an answer of 200 tokens per second comes in, and while 500 sessions change four times a second. Medians
over the rounds. Chromium draws 60 frames a second at most.
"""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from bench.browser import chromium
from bench.page_load import SESSIONS, TOKENS_PER_S, synthetic_page
from bench.service import write

SECONDS = float(os.environ.get("SECONDS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
# An answer long enough to be under way while it is measured.
UNDER_WAY = 200
COUNT_FRAMES = """ms => new Promise(done => { let n = 0; const end = performance.now() + ms;
    const step = () => { n++; performance.now() < end ? requestAnimationFrame(step) : done(n); };
    requestAnimationFrame(step); })"""


def measured(page: Page) -> tuple[float, float]:
    """The share of a processor that the page's main thread takes, and the frames per second that it draws."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy_s() -> float:
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"])

    began_s, before_s = time.monotonic(), busy_s()
    frames = page.evaluate(COUNT_FRAMES, 1000 * SECONDS)
    took_s = time.monotonic() - began_s
    return (busy_s() - before_s) / took_s, frames / took_s


def answer(page: Page, url: str) -> None:
    """The page, in the middle of an answer."""
    page.goto(f"{url}/dashboard/")
    page.get_by_label("Your question").fill("Count")
    page.keyboard.press("Enter")
    page.locator(".t").nth(UNDER_WAY).wait_for(state="attached")


def fleet(page: Page, url: str) -> None:
    """The page, with all sessions in sight."""
    page.goto(f"{url}/dashboard/#/fleet")
    page.locator("a.row").nth(SESSIONS - 1).wait_for(state="attached")


def main() -> None:
    """Measure, print and write the result."""
    views: dict[str, Callable[[Page, str], None]] = {"answer": answer, "fleet": fleet}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in views}
    with chromium() as browser, synthetic_page() as url:
        for number in range(ROUNDS):
            for name, show in views.items():
                page = browser.new_page()
                show(page, url)
                found[name].append(measured(page))
                page.close()
                print(f"round {number + 1}, {name}: {found[name][-1]}", flush=True)
    result: dict[str, Any] = {"tokens_per_s": TOKENS_PER_S, "sessions": SESSIONS, "rounds": ROUNDS}
    for name, rows in found.items():
        shares, frames = zip(*rows, strict=True)
        result |= {
            f"{name}_main_thread_share": statistics.median(shares),
            f"{name}_main_thread_share_most": max(shares),
            f"{name}_frames_per_s": statistics.median(frames),
            f"{name}_frames_per_s_least": min(frames),
        }
    write("page", result)


if __name__ == "__main__":
    main()
