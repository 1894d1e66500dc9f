import gc
import os
from collections.abc import Iterator

import pytest

from tests.providers.quirks.loopback import Loopback, keys

# LiteLLM would fetch a table of prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """The service over real HTTP with the real pool, for all clients."""
    with keys(os.environ):
        made = Loopback(tmp_path_factory.mktemp("clients"))
        made.__enter__()
    gc.freeze()  # what is imported now need not be looked through after every test
    yield made
    gc.unfreeze()
    made.__exit__()


@pytest.fixture(autouse=True)
def connections_are_collected() -> Iterator[None]:
    """What a client has left open is collected with its own test, and troubles no later one."""
    yield
    gc.collect()
