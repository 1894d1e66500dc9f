"""KV mode `transfer` without special hardware: replicas hand KV blocks over through a folder that they share.

vLLM's ExampleConnector stores every prompt and looks every prompt up. This one does either only for requests that ask
for it, and leaves nothing behind: what was loaded is removed, and so is what nobody has loaded for a minute. In
engine_kwargs:

    kv_transfer_config:
      kv_connector: FolderConnector
      kv_connector_module_path: deployments.kv_folder
      kv_role: kv_both
      kv_connector_extra_config: {shared_storage_path: /dev/shm/ghostrouter}
"""

import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vllm import SamplingParams
from vllm.distributed.kv_transfer.kv_connector.v1.example_connector import ExampleConnector
from vllm.v1.core.sched.output import SchedulerOutput

PUBLISH, LOAD = "publish", "load"
_UNCLAIMED_S = 60.0


def transfer_params(*, publish: bool, load: bool) -> dict[str, Any]:
    """What goes into a request's `kv_transfer_params`."""
    return {PUBLISH: publish, LOAD: load}


class FolderConnector(ExampleConnector):
    """Stores the KV blocks of a prompt when asked to publish them, loads them when asked to."""

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int | None, bool]:
        """How many tokens beyond those computed here the folder has."""
        if not (request.kv_transfer_params or {}).get(LOAD):
            return 0, False
        tokens, later = super().get_num_new_matched_tokens(request, num_computed_tokens)
        return max(0, tokens or 0), later

    def build_connector_meta(self, scheduler_output: SchedulerOutput) -> Any:
        """What the worker is to store and to load in this step."""
        wanted = [
            r
            for r in scheduler_output.scheduled_new_reqs
            if r.req_id in self._requests_need_load or _publishes(r.sampling_params)
        ]
        return super().build_connector_meta(replace(scheduler_output, scheduled_new_reqs=wanted))

    def start_load_kv(self, forward_context: Any, **kwargs: Any) -> None:
        """Load, then remove what was loaded and what nobody came for."""
        super().start_load_kv(forward_context, **kwargs)
        for request in self._get_connector_metadata().requests:
            if request.is_store:
                self._sweep()
            else:
                folder = self._generate_foldername_debug(request.token_ids, request.mm_hashes)
                shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        oldest_s = time.time() - _UNCLAIMED_S
        for folder in Path(self._storage_path).glob("*"):
            with suppress(OSError):
                if folder.stat().st_mtime < oldest_s:
                    shutil.rmtree(folder, ignore_errors=True)


def _publishes(params: SamplingParams | None) -> bool:
    extra = (params.extra_args if params else None) or {}
    return bool((extra.get("kv_transfer_params") or {}).get(PUBLISH))
