"""Machines with vLLM die, are cut off, far away or replaced while answers are written. No token is lost or comes twice.

Real Ray nodes and real vLLM, each on a machine of its own (`machines.py`).
"""

from collections.abc import Iterator

import pytest

from bench.failover import Stream, asked
from tests.cluster.clients import answers
from tests.cluster.service import Cluster, cluster, vllm

pytestmark = pytest.mark.cluster
_MODEL = "ghost-small"
_BODIES = [{**body, "model": _MODEL} for body in asked(streams=8, tokens=1000)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("engines")
    with cluster(folder, vllm(_MODEL), ["Ingress", f"LocalEngine:{_MODEL}"]) as found:
        yield found


@pytest.fixture(scope="module")
def calm(running: Cluster) -> list[list[Stream]]:
    """Keeps the answers without trouble."""
    return []


@pytest.fixture
async def whole(running: Cluster, calm: list[list[Stream]]) -> Cluster:
    """The cluster with all its machines, which has answered every question once."""
    running.until_whole()
    if not calm:
        calm.append(await answers(running, _BODIES))
    return running


def _assert_same(calm: list[list[Stream]], troubled: list[Stream]) -> None:
    for one, other in zip(calm[0], troubled, strict=True):
        assert one.complete and other.complete, (one.errors, other.errors)
        assert (other.tokens, other.text) == (one.tokens, one.text), (other.errors, other.ghost)


async def test_a_worker_loses_its_power(whole: Cluster, calm: list[list[Stream]]) -> None:
    victim = whole.workers[0]
    troubled = await answers(whole, _BODIES, victim.kill)
    _assert_same(calm, troubled)
    assert any(stream.hit for stream in troubled)
    victim.start_again()
    whole.start_worker(victim)


async def test_a_worker_is_cut_off_and_comes_back(whole: Cluster, calm: list[list[Stream]]) -> None:
    victim = whole.workers[1]
    troubled = await answers(whole, _BODIES, victim.pull_cable)
    _assert_same(calm, troubled)
    assert any(stream.hit for stream in troubled)
    victim.plug_in()


async def test_the_head_loses_its_power_and_starts_again(whole: Cluster, calm: list[list[Stream]]) -> None:
    def restart() -> None:
        whole.head.kill()
        whole.head.start_again()
        whole.start_head()

    _assert_same(calm, await answers(whole, _BODIES, restart))
    whole.until_whole()
    _assert_same(calm, await answers(whole, _BODIES))


async def test_the_workers_are_far_apart(whole: Cluster, calm: list[list[Stream]]) -> None:
    with whole.far_apart(delay_ms=25.0, loss=0.01):
        assert whole.reached_after_ms() >= 50
        _assert_same(calm, await answers(whole, _BODIES))


async def test_everything_is_deployed_again(whole: Cluster, calm: list[list[Stream]]) -> None:
    _assert_same(calm, await answers(whole, _BODIES, whole.redeploy))
    whole.until_whole()
    _assert_same(calm, await answers(whole, _BODIES))
