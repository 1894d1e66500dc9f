"""The service behind the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.servers import free_port
from tests.dashboards.stack import Stack, key


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
