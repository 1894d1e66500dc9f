from ray.serve.config import RequestRouterConfig

from deployments.engine import draining


def test_a_replica_drains_when_others_take_requests() -> None:
    draining.set_running("model", ["a", "b"])
    assert not draining.is_draining("model", "a")
    draining.set_running("model", ["b"])
    assert draining.is_draining("model", "a")
    draining.set_running("model", [])
    assert not draining.is_draining("model", "a"), "there is nobody to go to"
    assert not draining.is_draining("another", "a")


def test_serves_copy_of_the_router_tells_the_same_place() -> None:
    # Serve pickles the router's module by value: what it keeps in a variable of its own, nobody else sees.
    config = RequestRouterConfig(request_router_class="deployments.engine.affinity:AffinityRouter")
    router = config.get_request_router_class()
    assert router.update_replicas.__globals__["draining"] is draining
