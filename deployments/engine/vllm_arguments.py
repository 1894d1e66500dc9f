"""The arguments and environment that vLLM is started with for a configured model."""

from typing import Any

from deployments.engine.exact_entropy import ASKED
from ghostrouter.config import LocalModel
from ghostrouter.config.speculative import located

SCHEDULER = "deployments.engine.advanced_grammar.AdvancedScheduler"
ASYNC_SCHEDULER = "deployments.engine.advanced_grammar.AdvancedAsyncScheduler"


def engine_arguments(model: LocalModel) -> dict[str, Any]:
    """vLLM's engine arguments. Those in the configuration take precedence.

    With speculative decoding vLLM takes no custom logits processor. Then answers are greedy; `config` checks that.
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
    wanted = model.engine_kwargs.get("speculative_config")
    told = {"speculative_config": located(wanted)} if wanted else {}
    return arguments | model.engine_kwargs | told


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
