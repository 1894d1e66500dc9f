"""Machines die, are cut off and far away while ingresses stream answers. No answer is lost, no token comes twice.

Real Ray nodes, each on a machine of its own (`machines.py`). Clients come back at another machine with `Last-Event-ID`.
"""

from collections.abc import Iterator

import pytest

from bench.failover import Stream
from bench.upstream import ANSWER, Provider, serving
from tests.cluster.clients import answers
from tests.cluster.machines import SWITCH
from tests.cluster.service import Cluster, cluster, provider

pytestmark = pytest.mark.cluster
_BODIES = [
    {"model": "ghost/auto", "messages": [{"role": "user", "content": f"Tell me of clocks ({n})."}], "stream": True}
    for n in range(8)
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Provider(), SWITCH) as found:
        yield found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("ingresses"), provider(url), ["Ingress"]) as found:
        yield found


@pytest.fixture
def whole(running: Cluster) -> Cluster:
    running.until_whole()
    return running


def _assert_whole(streams: list[Stream]) -> None:
    for stream in streams:
        assert stream.complete and stream.text == ANSWER, (stream.text, stream.errors, stream.ghost)


async def test_a_worker_loses_its_power(whole: Cluster) -> None:
    victim = whole.workers[0]
    streams = await answers(whole, _BODIES, victim.kill)
    _assert_whole(streams)
    assert any(stream.hit for stream in streams)
    victim.start_again()
    whole.start_worker(victim)


async def test_a_worker_is_cut_off_and_comes_back(whole: Cluster) -> None:
    victim = whole.workers[1]
    streams = await answers(whole, _BODIES, victim.pull_cable)
    _assert_whole(streams)
    assert any(stream.hit for stream in streams)
    victim.plug_in()


async def test_the_head_loses_its_power_and_starts_again(whole: Cluster) -> None:
    def restart() -> None:
        whole.head.kill()
        whole.head.start_again()
        whole.start_head()

    streams = await answers(whole, _BODIES, restart)
    _assert_whole(streams)
    assert not any(stream.hit for stream in streams), "no answer needs the head"
    whole.until_whole()
    _assert_whole(await answers(whole, _BODIES))


async def test_the_workers_are_far_apart(whole: Cluster) -> None:
    with whole.far_apart(delay_ms=25.0, loss=0.01):
        assert whole.reached_after_ms() >= 50
        _assert_whole(await answers(whole, _BODIES))


async def test_everything_is_deployed_again_with_another_model(whole: Cluster, url: str) -> None:
    _assert_whole(await answers(whole, _BODIES, lambda: whole.redeploy(provider(url, "new"))))
    whole.until_whole()
    _assert_whole(await answers(whole, [{**body, "model": "new"} for body in _BODIES]))
    assert whole.statuses({**_BODIES[0], "model": "slow"}) == [404, 404]
