"""The arguments and environment that vLLM is started with for a configured model."""

from typing import Any

from deployments.engine.exact_entropy import ASKED
from ghostrouter.config import LocalModel
from ghostrouter.config.speculative import located


def engine_arguments(model: LocalModel) -> dict[str, Any]:
    """vLLM's engine arguments. Those in the configuration take precedence.

    With speculative decoding vLLM takes no custom logits processor. Then answers are greedy; `config` checks that.
    """
    arguments: dict[str, Any] = {"max_logprobs": ASKED, "enable_prefix_caching": True}
    if not model.speculates:
        arguments["logits_processors"] = ["deployments.engine.keyed_sampler:KeyedSampler"]
    if model.exact_entropy:
        arguments["worker_extension_cls"] = "deployments.engine.exact_entropy.EntropyWorker"
    wanted = model.engine_kwargs.get("speculative_config")
    told = {"speculative_config": located(wanted)} if wanted else {}
    return arguments | model.engine_kwargs | told


def environment(model: LocalModel) -> dict[str, str]:
    """Environment variables of its replicas.

    Exact entropies need vLLM's first model runner. Custom logits processors select that runner anyway.
    """
    chosen = {"VLLM_USE_V2_MODEL_RUNNER": "0"} if model.exact_entropy and model.speculates else {}
    return chosen | model.env
