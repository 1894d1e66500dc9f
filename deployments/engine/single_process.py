"""ray.serve.llm's vLLM engine, with one process fewer when there is a single CPU worker."""

from typing import Any

from ray.llm._internal.serve.engines.vllm.vllm_engine import VLLMEngine
from vllm.envs import enable_envs_cache

from deployments.engine.engine_metrics import record_twice_a_second
from deployments.engine.vllm_arguments import prepare


class SingleProcessVllm(VLLMEngine):
    """Runs a lone CPU worker inside vLLM's engine process.

    vLLM's multiprocessing executor gives a CPU worker a process of its own and lets both ends of the queue
    between them spin for a second after every step. On a machine with few cores that starves everything
    else, and the extra process costs 15 to 20 s of imports at every start.
    """

    def _start_async_llm_engine(self, engine_args: Any, engine_config: Any, placement_group: Any) -> Any:
        prepare(engine_config)
        record_twice_a_second()
        client = super()._start_async_llm_engine(engine_args, engine_config, placement_group)
        enable_envs_cache()  # else vLLM reads environment variables at each token
        return client
