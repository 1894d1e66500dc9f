"""KV mode `transfer` without special hardware: replicas exchange KV blocks through a shared folder.

vLLM's ExampleConnector stores and looks up every prompt. This connector does so only for requests that ask for it. It
hides prompts that are only partly stored, and deletes what no request has loaded within a minute. In engine_kwargs:

    kv_transfer_config:
      kv_connector: FolderConnector
      kv_connector_module_path: deployments.engine.kv_folder
      kv_role: kv_both
      kv_connector_extra_config: {shared_storage_path: /dev/shm/ghostrouter}
"""

import hashlib
import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.distributed.kv_transfer.kv_connector.v1.example_connector import ExampleConnector, align_to_block_size
from vllm.v1.core.sched.output import SchedulerOutput

PUBLISH, LOAD = "publish", "load"
_PATH = "shared_storage_path"
_UNCLAIMED_S = 60.0


def transfer_params(*, publish: bool, load: bool) -> dict[str, Any]:
    """The `kv_transfer_params` of a request."""
    return {PUBLISH: publish, LOAD: load}


class FolderConnector(ExampleConnector):
    """Stores the KV blocks of a prompt if the request says publish, and loads them if it says load."""

    def __init__(self, vllm_config: VllmConfig, *args: Any, **kwargs: Any) -> None:
        super().__init__(vllm_config, *args, **kwargs)
        # Models may share the folder but not blocks: the same token ids give other blocks in another model.
        model = hashlib.sha256(str(vllm_config.model_config.model).encode()).hexdigest()[:16]
        self._storage_path = str(Path(vllm_config.kv_transfer_config.kv_connector_extra_config[_PATH]) / model)
        self._saving = False
        self._unfinished: dict[str, str] = {}

    def get_num_new_matched_tokens(self, request: Any, num_computed_tokens: int) -> tuple[int | None, bool]:
        """How many tokens the folder has in addition to those computed here."""
        if not (request.kv_transfer_params or {}).get(LOAD):
            return 0, False
        if (len(request.prompt_token_ids) - 1) % self._block_size == 0:
            return 0, False  # else ExampleConnector looks for one length and loads another
        tokens, later = super().get_num_new_matched_tokens(request, num_computed_tokens)
        return max(0, tokens or 0), later

    def _found_match_for_prompt(self, prompt_token_ids: list[int], mm_hashes: list[str]) -> bool:
        found: bool = super()._found_match_for_prompt(prompt_token_ids, mm_hashes)
        if found:  # a new time stamp: a folder that is about to be loaded must not be deleted
            tokens = align_to_block_size(len(prompt_token_ids) - 1, self._block_size)
            with suppress(FileNotFoundError):
                os.utime(self._generate_foldername_debug(torch.tensor(prompt_token_ids)[:tokens], mm_hashes))
        return found

    def build_connector_meta(self, scheduler_output: SchedulerOutput) -> Any:
        """What the worker must store and load in this step."""
        wanted = [
            r
            for r in scheduler_output.scheduled_new_reqs
            if r.req_id in self._requests_need_load or _publishes(r.sampling_params)
        ]
        return super().build_connector_meta(replace(scheduler_output, scheduled_new_reqs=wanted))

    def save_kv_layer(self, *args: Any, **kwargs: Any) -> None:
        """Store a layer in a folder that no other replica reads yet."""
        self._saving = True
        try:
            super().save_kv_layer(*args, **kwargs)
        finally:
            self._saving = False

    def wait_for_save(self) -> None:
        """All layers are stored: publish the folder, unless another replica was faster."""
        for folder, final in self._unfinished.items():
            try:
                os.rename(folder, final)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
        if self._unfinished:
            self._unfinished.clear()
            self._sweep()

    def _generate_foldername_debug(self, token_ids: Any, mm_hashes: list[str], create_folder: bool = False) -> str:
        final: str = super()._generate_foldername_debug(token_ids, mm_hashes, create_folder=False)
        if not self._saving:
            return final
        folder = f"{final}.{os.getpid()}"
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._unfinished[folder] = final
        return folder

    def _sweep(self) -> None:
        oldest_s = time.time() - _UNCLAIMED_S
        for folder in Path(self._storage_path).glob("*"):
            with suppress(OSError):
                if folder.stat().st_mtime < oldest_s:
                    shutil.rmtree(folder, ignore_errors=True)


def _publishes(params: SamplingParams | None) -> bool:
    extra = (params.extra_args if params else None) or {}
    return bool((extra.get("kv_transfer_params") or {}).get(PUBLISH))
