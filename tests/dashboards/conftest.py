"""A real Chromium, and the service behind the page."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.dashboards.stack import Stack, key

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    assert found, "Chromium is needed: `make browser` installs it if you are root; else install it or set CHROMIUM"
    sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium has none for root
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Without keys."""
    made = Stack(free_port())
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Stack]:
    """With keys and budgets, behind a path prefix."""
    keys = [key("ann", team="red"), key("bob"), key("chief", scopes=["call", "feedback", "admin"])]
    budgets = {"limits": [{"scope": "key", "usd": 1.0, "window": "day"}, {"scope": "team", "name": "red", "usd": 20.0}]}
    made = Stack(free_port(), 0.005, "/behind/a/proxy", access={"keys": keys}, budgets=budgets)
    yield made
    made.close()


@pytest.fixture
def axe() -> str:
    """The source of axe-core."""
    return (Path("dashboards/live/node_modules/axe-core/axe.min.js")).read_text()
