"""The two data files: complete, sane, and enough to make a model appear."""

from datetime import date

import pytest

from ghostrouter.catalog.discover import base_url, complete, key_variable, offered
from ghostrouter.catalog.rows import Model, Provider, listings, model, providers
from ghostrouter.config import CloudModel, GraphConfig
from ghostrouter.errors import ConfigError
from ghostrouter.policy.cost import price_usd
from ghostrouter.providers.adapters import ADAPTERS

WANTED = (
    "openai anthropic gemini xai mistral groq together deepseek perplexity openrouter cohere azure ollama lmstudio vllm"
).split()
MODELS = [(p, name, row) for p, listing in listings().items() for name, row in listing.models.items()]
LOCAL = {"models": [{"name": "m", "source": "x"}], "routes": {"default": {"models": ["m"]}}}


def test_no_provider_is_missing() -> None:
    assert list(providers()) == WANTED
    assert set(listings()) <= set(WANTED)


@pytest.mark.parametrize("row", providers().values(), ids=lambda r: r.name)
def test_a_provider_row_is_whole(row: Provider) -> None:
    assert row.kind in ADAPTERS
    assert row.source.startswith("https://")
    assert row.as_of <= date(2026, 12, 31)
    assert row.key_env or row.appears_with
    assert row.base_url_env
    assert row.base_url is None or row.base_url.startswith(("https://", "http://127.0.0.1"))
    assert row.base_url is not None or row.name == "azure"
    assert row.name in listings() or row.models_env


@pytest.mark.parametrize(("provider", "name", "row"), MODELS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_model_row_is_sane(provider: str, name: str, row: Model) -> None:
    assert 4_096 <= row.context_tokens <= 2_000_000
    assert row.max_output_tokens is None or 1_000 <= row.max_output_tokens <= row.context_tokens
    assert (row.prompt is None) == (row.completion is None)
    if row.prompt is not None and row.completion is not None:
        assert 0 < row.prompt <= row.completion <= 200
        assert row.cached is None or 0 < row.cached < row.prompt
        assert row.cache_write is None or row.prompt < row.cache_write
    assert row.continues != "prefix" or providers()[provider].kind == "openai"
    assert listings()[provider].source.startswith("https://")
    assert listings()[provider].checked
    assert not (row.tool_fields and row.tools is False)
    filled = CloudModel.model_validate({"provider": provider, "model": name} | _address(provider))
    assert filled.name == f"{provider}/{name}"
    assert filled.context_tokens == row.context_tokens
    if row.prompt is not None:
        assert price_usd(filled.price, 1e6, 0) == pytest.approx(row.prompt + row.request_usd)


def _address(provider: str) -> dict[str, str]:
    return {"base_url": "https://x.example"} if providers()[provider].base_url is None else {}


@pytest.mark.parametrize("row", providers().values(), ids=lambda r: r.name)
def test_a_key_is_all_it_takes(row: Provider) -> None:
    known = [*row.key_env[:1], *row.appears_with[:1]]
    environment = dict.fromkeys(known, "localhost:99") | {row.base_url_env[0]: "http://other.example/"}
    if row.models_env:
        environment[row.models_env[0]] = "one, two"
    assert not list(offered({}))
    found = list(offered(environment))
    assert {p for p, _, _ in found} == {row.name}
    assert (f"{row.name}/two" in {n for *_, n in found}) is bool(row.models_env)
    filled = complete({"provider": row.name, "model": "one"}, environment)
    assert filled["base_url"].startswith("http://other.example")
    assert filled["api_key_env"] == (row.key_env[0] if row.key_env else None)


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("0.0.0.0:11434", "http://0.0.0.0:11434/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("https://h", "https://h/v1"),
    ],
)
def test_a_host_becomes_a_base_url(said: str, url: str) -> None:
    assert base_url(providers()["ollama"], {"OLLAMA_HOST": said}) == url


def test_the_first_key_that_is_set_counts() -> None:
    gemini = providers()["gemini"]
    assert key_variable(gemini, {"GOOGLE_API_KEY": "k"}) == "GOOGLE_API_KEY"
    assert key_variable(gemini, {}) == "GEMINI_API_KEY"


def test_models_of_a_provider_with_a_key_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "planted-key-1")
    config = GraphConfig.parse(LOCAL)
    assert [m.name for m in config.cloud] == ["deepseek/deepseek-flash", "deepseek/deepseek-v4-pro"]
    assert config.cloud[0].price.completion_usd_per_mtok == 1.2
    assert "planted-key-1" not in config.model_dump_json()
    assert not GraphConfig.parse({**LOCAL, "providers": {"discover": False}}).cloud
    assert not GraphConfig.parse({**LOCAL, "providers": {"only": ["openai"]}}).cloud


def test_a_deployment_that_is_called_as_its_model_is_costs_what_the_model_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.example"}
    assert not list(offered(environment))
    for variable, value in (environment | {"AZURE_OPENAI_DEPLOYMENTS": "gpt-6-luna,ours"}).items():
        monkeypatch.setenv(variable, value)
    known, own = GraphConfig.parse(LOCAL).cloud
    assert (known.name, known.price_known, known.price.prompt_usd_per_mtok) == ("azure/gpt-6-luna", True, 0.1)
    assert known.price.cache_write_usd_per_mtok == 0.125
    assert (own.name, own.price_known) == ("azure/ours", False)


def test_an_own_price_takes_precedence_and_an_unknown_one_is_named() -> None:
    row = {"provider": "openrouter", "model": "meta-llama/llama-3.3-70b-instruct"}
    known = model("openrouter", row["model"])
    assert known is not None
    assert known.prompt is None
    unknown = GraphConfig.parse({**LOCAL, "cloud": [row]}).cloud[0]
    assert (unknown.price_known, unknown.price.prompt_usd_per_mtok) == (False, 20.0)
    own = {**row, "price": {"prompt_usd_per_mtok": 0.1, "completion_usd_per_mtok": 0.2}, "context_tokens": 5000}
    priced = GraphConfig.parse({**LOCAL, "cloud": [own]}).cloud[0]
    assert (priced.price_known, priced.price.prompt_usd_per_mtok, priced.context_tokens) == (True, 0.1, 5000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cloud": [{"provider": "opnai", "model": "x"}]}, "no `opnai` in the catalogue"),
        ({"cloud": [{"provider": "azure", "model": "x"}]}, "set AZURE_OPENAI_ENDPOINT"),
        ({"routes": {"default": {"models": ["xai/grok-4"]}}}, "xai/grok-4 (set XAI_API_KEY)"),
        ({"cloud": [{"provider": "openai", "model": "x", "base_url": "gopher://x"}]}, "base_url"),
    ],
)
def test_errors_say_what_to_do(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        GraphConfig.parse({**LOCAL, **change})
    assert words in str(refusal.value)
