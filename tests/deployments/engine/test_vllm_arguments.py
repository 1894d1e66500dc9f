"""What vLLM is started with."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.engine.vllm_arguments import engine_arguments, environment
from ghostrouter.config import GraphConfig, LocalModel
from ghostrouter.errors import ConfigError
from tests.shipped import ROOT


def model(**fields: Any) -> LocalModel:
    return LocalModel.model_validate({"name": "m", "source": "x", "env": {"A": "1"}} | fields)


NGRAM = {"speculative_config": {"method": "ngram", "num_speculative_tokens": 4}}


def test_entropies_and_samples_are_ours_unless_told_otherwise() -> None:
    found = engine_arguments(model())
    assert found["logits_processors"] == ["deployments.engine.keyed_sampler:KeyedSampler"]
    assert found["worker_extension_cls"] == "deployments.engine.exact_entropy.EntropyWorker"
    assert found["max_logprobs"] == 21
    assert environment(model()) == {"A": "1"}
    assert "worker_extension_cls" not in engine_arguments(model(exact_entropy=False))
    assert engine_arguments(model(engine_kwargs={"max_logprobs": 50}))["max_logprobs"] == 50


def test_speculative_decoding_leaves_sampling_to_vllm() -> None:
    guesses = model(engine_kwargs=NGRAM)
    assert "logits_processors" not in engine_arguments(guesses)
    assert engine_arguments(guesses)["speculative_config"] == NGRAM["speculative_config"]
    assert environment(guesses) == {"VLLM_USE_V2_MODEL_RUNNER": "0", "A": "1"}
    assert environment(model(engine_kwargs=NGRAM, exact_entropy=False)) == {"A": "1"}


def adapter(folder: Path, rank: object) -> LocalModel:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return model(name=folder.name, lora=str(folder), base="m")


def test_vllm_is_ready_for_the_largest_adapter(tmp_path: Path) -> None:
    found = engine_arguments(model(), [adapter(tmp_path / "a", 4), adapter(tmp_path / "b", 17)])
    assert (found["enable_lora"], found["max_loras"], found["max_lora_rank"]) == (True, 2, 32)
    assert "enable_lora" not in engine_arguments(model())


def test_what_is_no_adapter_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models.x.lora: its rank is above 512"):
        engine_arguments(model(), [adapter(tmp_path / "x", 513)])
    with pytest.raises(ConfigError, match=r"models.y.lora: .* is no adapter of peft: TypeError"):
        engine_arguments(model(), [adapter(tmp_path / "y", None)])
    with pytest.raises(ConfigError, match=r"models.z.lora: .* is no adapter of peft: FileNotFoundError"):
        engine_arguments(model(), [model(name="z", lora=str(tmp_path / "z"), base="m")])


@pytest.mark.parametrize("method", ["draft_model", "eagle"])
def test_the_model_that_guesses_is_found_from_anywhere(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "draft").mkdir()
    monkeypatch.chdir(tmp_path)
    wanted = {"method": method, "model": "draft", "num_speculative_tokens": 3}
    found = engine_arguments(model(engine_kwargs={"speculative_config": wanted}))["speculative_config"]
    assert found == {**wanted, "model": str(tmp_path / "draft")}
    of_hub = {**wanted, "model": "yuhuili/EAGLE-Qwen3-8B"}
    found = engine_arguments(model(engine_kwargs={"speculative_config": of_hub}))["speculative_config"]
    assert found == of_hub, "passed on as it is"


def test_the_example_reaches_vllm_as_it_is() -> None:
    document = yaml.safe_load((ROOT / "examples" / "speculative.yaml").read_text())
    args = document["applications"][0]["args"]
    for row, model in zip(args["models"], GraphConfig.parse(args).models, strict=True):
        found = engine_arguments(model)
        assert found["speculative_config"] == row["engine_kwargs"]["speculative_config"]
        assert "logits_processors" not in found
