"""The arguments and environment that vLLM is started with for a configured model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deployments.engine.exact_entropy import ASKED
from ghostrouter.config import LocalModel
from ghostrouter.config.speculative import located
from ghostrouter.errors import ConfigError

SCHEDULER = "deployments.engine.advanced_grammar.AdvancedScheduler"
ASYNC_SCHEDULER = "deployments.engine.advanced_grammar.AdvancedAsyncScheduler"
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of adapters, as vLLM takes them


def engine_arguments(model: LocalModel, adapters: Sequence[LocalModel] = ()) -> dict[str, Any]:
    """vLLM's engine arguments of a model with its LoRA adapters. Those in the configuration take precedence.

    With speculative decoding vLLM takes no custom logits processor. Then answers are greedy; `config` checks that.

    Raises:
        ConfigError: an adapter cannot be used.
    """
    arguments: dict[str, Any] = {
        "max_logprobs": ASKED,
        "enable_prefix_caching": True,
        # xgrammar allows control characters in JSON's strings. Free white space between JSON's parts has no end: small
        # models fill their limit with line breaks.
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
    }
    if not model.speculates:
        arguments["logits_processors"] = ["deployments.engine.keyed_sampler:KeyedSampler"]
    if model.exact_entropy:
        arguments["worker_extension_cls"] = "deployments.engine.exact_entropy.EntropyWorker"
    if adapters:
        most = max(_rank(adapter) for adapter in adapters)
        arguments |= {"enable_lora": True, "max_loras": len(adapters), "max_lora_rank": most}
    wanted = model.engine_kwargs.get("speculative_config")
    told = {"speculative_config": located(wanted)} if wanted else {}
    return arguments | model.engine_kwargs | told


def _rank(adapter: LocalModel) -> int:
    """The rank that vLLM is to be ready for: the adapter's own, rounded up to one that vLLM knows."""
    file = Path(adapter.lora or "") / "adapter_config.json"
    try:
        rank = int(json.loads(file.read_bytes())["r"])
        return next(r for r in _RANKS if r >= rank)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"models.{adapter.name}.lora: {file} is no adapter of peft: {type(error).__name__}"
        ) from error
    except StopIteration:
        raise ConfigError(f"models.{adapter.name}.lora: its rank is above {_RANKS[-1]}") from None


def prepare(engine_config: Any) -> None:
    """Choose parts of vLLM that its engine arguments leave open: where a lone CPU worker runs, and the scheduler.

    vLLM's process imports the scheduler (`deployments/engine/advanced_grammar.py`).
    """
    parallel, scheduling = engine_config.parallel_config, engine_config.scheduler_config
    if engine_config.device_config.device_type == "cpu" and parallel.world_size == 1:
        parallel.distributed_executor_backend = "uni"
    if scheduling.scheduler_cls is None:
        scheduling.scheduler_cls = ASYNC_SCHEDULER if scheduling.async_scheduling else SCHEDULER


def environment(model: LocalModel) -> dict[str, str]:
    """Environment variables of its replicas.

    Exact entropies need vLLM's first model runner. Custom logits processors select that runner anyway.
    """
    chosen = {"VLLM_USE_V2_MODEL_RUNNER": "0"} if model.exact_entropy and model.speculates else {}
    return chosen | model.env
