from typing import Any

import pytest

from ghostrouter.config import CloudModel, GraphConfig, api_key, span_exporters
from ghostrouter.errors import ConfigError

ARGS: dict[str, Any] = {"models": [{"name": "m", "source": "x"}], "routes": {"default": {"models": ["m"]}}}

GUESSES = {
    "name": "m",
    "source": "x",
    "engine_kwargs": {"speculative_config": {"method": "ngram", "num_speculative_tokens": 4}},
}
ADAPTER = {"name": "n", "lora": "a", "base": "m"}
TRANSFERS = {"name": "m", "source": "x", "engine_kwargs": {"kv_transfer_config": {"kv_role": "kv_both"}}}
CLOUD: dict[str, Any] = {
    "name": "c",
    "base_url": "https://api.example/v1",
    "model": "upstream-1",
    "context_tokens": 8192,
}


def test_defaults() -> None:
    config = GraphConfig.parse(ARGS)
    assert config.telemetry.frames.hold_tokens > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modles": []}, "modles"),
        ({"models": []}, "models"),
        ({"models": [{"name": "m"}]}, "models.0.source"),
        ({"models": [{"name": "a/b", "source": "x"}]}, "models.0.name"),
        (
            {"models": [*ARGS["models"], {"name": "n", "source": "x", "lora": "a"}]},
            "models.n: `lora` and `base` belong",
        ),
        ({"models": [*ARGS["models"], {"name": "n", "base": "m"}]}, "models.n: `lora` and `base` belong"),
        ({"models": [*ARGS["models"], {**ADAPTER, "base": "o"}]}, "models.n.base: there is no model o of its own"),
        ({"models": [*ARGS["models"], ADAPTER, {**ADAPTER, "name": "o", "base": "n"}]}, "models.o.base: there is no"),
        ({"models": [*ARGS["models"], {**ADAPTER, "env": {}}]}, "models.n.env: an adapter runs on the replicas"),
        ({"models": [TRANSFERS, ADAPTER]}, "models.n.base: m transfers KV blocks"),
        ({"models": ARGS["models"] * 2}, "two models have the same name"),
        ({"cloud": [{**CLOUD, "name": "m"}]}, "two models have the same name"),
        ({"embeddings": [{"name": "m", "source": "x"}]}, "two models have the same name"),
        ({"embeddings": [{"name": "e"}]}, "set `source`, `base_url`"),
        ({"embeddings": [{"name": "e", "provider": "anthropic"}]}, "set `source`, `base_url`"),
        ({"embeddings": [{"name": "e", "source": "x", "base_url": "http://x"}]}, "not both"),
        ({"cloud": [{**CLOUD, "continues": "somehow"}]}, "cloud.0.continues"),
        ({"cloud": [{**CLOUD, "base_url": "api.example"}]}, "cloud.0.base_url"),
        ({"models": [GUESSES]}, "models.m.engine_kwargs.speculative_config: only greedy answers"),
        ({"routes": {}}, "`default`"),
        ({"routes": {"default": {"models": ["other"]}}}, "no such model: other"),
        ({"telemetry": {"shards": 0}}, "telemetry.shards"),
        ({"sessions": {"max_handoffs": "many"}}, "sessions.max_handoffs"),
    ],
)
def test_errors_name_the_key(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        GraphConfig.parse({**ARGS, **change})
    assert words in str(refusal.value)


def test_an_adapter_takes_over_what_it_does_not_set() -> None:
    base = {"name": "m", "source": "x", "sampling": {"temperature": 0.5}, "calibration": "c", "max_running": 3}
    args = {**ARGS, "models": [{**ADAPTER, "trust": "untrusted"}, {**base, "tool_parser": "hermes"}]}
    found = GraphConfig.parse(args).models[0]
    assert (found.source, found.sampling.temperature, found.max_running, found.tool_parser) == ("x", 0.5, 3, "hermes")
    assert (found.trust, found.calibration) == ("untrusted", None)


def test_speculative_decoding_is_for_greedy_answers() -> None:
    greedy = {**GUESSES, "sampling": {"temperature": 0}}
    assert GraphConfig.parse({**ARGS, "models": [greedy]}).models[0].speculates
    beside = {"name": "n", "source": "x", "sampling": {"temperature": 0.6}}
    with pytest.raises(ConfigError, match=r"has to be 0, and that of n is not"):
        GraphConfig.parse({**ARGS, "models": [greedy, beside]})


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("ngram", "must be a mapping"),
        ({"num_speculative_tokens": 4}, "method is missing"),
        ({"method": "egale", "num_speculative_tokens": 4}, "there is no egale, did you mean eagle?"),
        ({"method": "ngram"}, "num_speculative_tokens"),
        ({"method": "ngram", "num_speculative_tokens": 0}, "num_speculative_tokens"),
        (
            {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_min": 5, "prompt_lookup_max": 4},
            "is 5, more",
        ),
        ({"method": "draft_model", "num_speculative_tokens": 4}, "model: draft_model needs a model"),
        ({"method": "eagle", "modle": "x", "num_speculative_tokens": 4}, "model: eagle needs a model"),
    ],
)
def test_a_wrong_speculative_config_is_told_at_load(wanted: Any, words: str) -> None:
    row = {**GUESSES, "sampling": {"temperature": 0}, "engine_kwargs": {"speculative_config": wanted}}
    with pytest.raises(ConfigError) as refusal:
        GraphConfig.parse({**ARGS, "models": [row]})
    assert "engine_kwargs.speculative_config of m: " in str(refusal.value)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("deployment", "most"),
    [
        ({}, 1),
        ({"num_replicas": 3}, 3),
        ({"num_replicas": "auto"}, 100),
        ({"autoscaling_config": {"max_replicas": 4}}, 4),
    ],
)
def test_how_many_replicas_there_may_be(deployment: dict[str, Any], most: int) -> None:
    config = GraphConfig.parse({**ARGS, "models": [{"name": "m", "source": "x", "deployment": deployment}]})
    assert config.models[0].most_replicas == most


def test_routes_may_name_cloud_models() -> None:
    config = GraphConfig.parse({**ARGS, "cloud": [CLOUD], "routes": {"default": {"models": ["m", "c"]}}})
    assert config.cloud[0].continues == "none"


@pytest.mark.parametrize(("more", "window"), [({}, 0), ({"continues": "instruct"}, 64), ({"echo_tokens": 8}, 8)])
def test_an_echo_is_looked_for_where_one_is_likely(more: dict[str, Any], window: int) -> None:
    assert CloudModel(**CLOUD, **more).echo_window_tokens == window


def test_a_key_comes_from_the_variable_that_the_row_names(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CloudModel(**CLOUD, api_key_env="SOME_PROVIDER_KEY")
    assert api_key(CloudModel(**CLOUD)) is None
    monkeypatch.delenv("SOME_PROVIDER_KEY", raising=False)
    with pytest.raises(ConfigError, match="SOME_PROVIDER_KEY"):
        api_key(model)
    monkeypatch.setenv("SOME_PROVIDER_KEY", "k")
    assert api_key(model) == "k"


@pytest.mark.parametrize(
    ("more", "is_needed"),
    [
        ({}, False),
        ({"routes": {"default": {"models": ["m"]}, "code": {"models": ["m"]}}}, True),
        ({"router": {"tiers": {"code": [{"models": ["m"]}]}}}, True),
        ({"router": {"learned": {"path": "router.json"}}}, True),
        ({"router": {"low_confidence": {"below": 0.5}}}, True),
        ({"classify": {"l3": {"model": "m"}}}, True),
        ({"overrides": [{"scope": "team", "name": "t", "tiers": {"code": [{"models": ["m"]}]}}]}, True),
    ],
)
def test_an_encoder_is_needed_if_something_depends_on_the_task(more: dict[str, Any], is_needed: bool) -> None:
    base = {"models": [{"name": "m", "source": "nowhere"}], "routes": {"default": {"models": ["m"]}}}
    assert GraphConfig.parse(base | more).encoder == ("all-MiniLM-L6-v2" if is_needed else None)


@pytest.mark.parametrize(
    ("variables", "exporters"),
    [
        ({}, ()),
        ({"TRACES_EXPORTER": ""}, ()),
        ({"EXPORTER_OTLP_ENDPOINT": "http://c"}, ("otlp_proto_http",)),
        ({"EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, ("otlp_proto_http",)),
        ({"EXPORTER_OTLP_ENDPOINT": "http://c", "EXPORTER_OTLP_PROTOCOL": "grpc"}, ("otlp_proto_grpc",)),
        (
            {
                "TRACES_EXPORTER": "otlp",
                "EXPORTER_OTLP_PROTOCOL": "grpc",
                "EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            ("otlp_proto_http",),
        ),
        ({"TRACES_EXPORTER": "console, otlp"}, ("console", "otlp_proto_http")),
        ({"TRACES_EXPORTER": "none", "EXPORTER_OTLP_ENDPOINT": "http://c"}, ()),
        ({"SDK_DISABLED": "TRUE", "EXPORTER_OTLP_ENDPOINT": "http://c"}, ()),
        ({"SDK_DISABLED": "false", "EXPORTER_OTLP_ENDPOINT": "http://c"}, ("otlp_proto_http",)),
        ({"EXPORTER_OTLP_METRICS_ENDPOINT": "http://c"}, ()),
    ],
)
def test_opentelemetry_s_variables_name_the_exporters(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], exporters: tuple[str, ...]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    assert span_exporters() == exporters
