"""The browser of this machine, for benches and tests of the page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A real Chromium or Chrome: CHROMIUM, or the first of NAMES that is installed.

    While it runs, an event loop runs in this thread, and there can be no other.

    Raises:
        RuntimeError: there is none.
    """
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise RuntimeError(
            "Chromium is needed: `make browser` installs it if you are root; else install it or set CHROMIUM"
        )
    sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium has none for root
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield launched
        launched.close()
