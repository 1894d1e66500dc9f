"""The switch that all machines are on."""

from collections.abc import Iterator

import pytest

from tests.cluster.machines import switch


@pytest.fixture(scope="session", autouse=True)
def _switch() -> Iterator[None]:
    with switch():
        yield
