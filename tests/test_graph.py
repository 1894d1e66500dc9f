"""Which deployments a configuration makes."""

from typing import Any

import pytest

import graph

ARGS = {
    "models": [],
    "cloud": [{"name": "far", "base_url": "http://127.0.0.1:1/v1", "model": "m", "context_tokens": 4096}],
    "routes": {"default": {"models": ["far"]}},
}
JWT = {"issuer": "https://issuer.example", "audience": "us"}
KEY = {"name": "ann", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("sections", "counted_by_all"),
    [
        ({}, False),
        ({"access": {"keys": [KEY]}}, True),
        ({"budgets": {"limits": [{"scope": "organisation", "usd": 1, "window": "day"}]}}, True),
        ({"access": {"jwt": JWT}}, False),
        ({"access": {"jwt": JWT}, "ingress": {"num_replicas": 2}}, True),
        ({"journal": {"url": "valkey://127.0.0.1:1/0"}}, True),  # what is counted there outlives the ingress
        ({"ingress": {"autoscaling_config": {"max_replicas": 3}}}, True),  # keys may be created later
    ],
)
def test_several_ingresses_count_together(sections: dict[str, Any], counted_by_all: bool) -> None:
    deployments = graph.build({**ARGS, **sections})._bound_deployment.init_kwargs["deployments"]
    assert (deployments.quotas is not None) == counted_by_all
