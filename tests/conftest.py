import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from bench import servers
from ghostrouter.catalog.rows import providers

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
