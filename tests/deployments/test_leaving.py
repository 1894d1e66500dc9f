from ray.serve.config import RequestRouterConfig

from deployments import leaving


def test_a_replica_leaves_when_others_take_requests() -> None:
    leaving.tell("model", ["a", "b"])
    assert not leaving.is_leaving("model", "a")
    leaving.tell("model", ["b"])
    assert leaving.is_leaving("model", "a")
    leaving.tell("model", [])
    assert not leaving.is_leaving("model", "a"), "there is nobody to go to"
    assert not leaving.is_leaving("another", "a")


def test_serves_copy_of_the_router_tells_the_same_place() -> None:
    # Serve pickles the router's module by value: what it keeps in a variable of its own, nobody else sees.
    config = RequestRouterConfig(request_router_class="deployments.affinity:AffinityRouter")
    router = config.get_request_router_class()
    assert router.update_replicas.__globals__["leaving"] is leaving
