import os
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from bench import servers
from bench.browser import chromium
from ghostrouter.catalog.rows import providers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("busy", deadline=None)  # a slow machine is no failure
settings.load_profile("busy")

# The keys of whoever runs the tests: with them models would appear, and could be called.
for _row in providers().values():
    for _name in (*_row.key_env, *_row.optional_key_env, *_row.base_url_env, *_row.appears_with, *_row.models_env):
        os.environ.pop(_name, None)
# Nor do tests send spans to the collector of whoever runs them.
for _name in [name for name in os.environ if name.startswith("OTEL_")]:
    os.environ.pop(_name)
# Nor do they read the keys of a service that runs here.
os.environ["GHOSTROUTER_STATE_DIR"] = tempfile.mkdtemp(prefix="ghostrouter-tests-")


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.ValkeyServer]:
    """A Valkey server, for all tests that need one."""
    with servers.valkey() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server, for all tests that need one."""
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real Chromium for the tests of a module.

    Not for the whole run: while Playwright runs, an event loop runs in this thread, and no other test can have one.
    """
    with chromium() as launched:
        yield launched
