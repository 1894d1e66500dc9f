"""Check `engine_kwargs.speculative_config` for obvious mistakes at load. vLLM reads the rest of it.

The names are those of vLLM 0.29 (`vllm.config.speculative.SpeculativeMethod`).
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ALONE: Final = ("ngram", "ngram_gpu", "suffix", "mtp", "dspark")
WITH_MODEL: Final = ("draft_model", "eagle", "eagle3", "dflash", "medusa", "mlp_speculator", "custom_class")


def mistake(wanted: object) -> str | None:
    """The mistake in a `speculative_config`, as a message; None if there is no obvious one."""
    if not isinstance(wanted, Mapping):
        return "it must be a mapping, such as {method: ngram, num_speculative_tokens: 4, prompt_lookup_max: 4}"
    method = wanted.get("method")
    known = (*ALONE, *WITH_MODEL)
    if method not in known:
        near = difflib.get_close_matches(str(method), known, 1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"method: there is no {method}{hint} There are {', '.join(known)}" if method else "method is missing"
    if method in WITH_MODEL and not _is_text(wanted.get("model")):
        return f"model: {method} needs a model: a folder or a model id of a hub"
    tokens = wanted.get("num_speculative_tokens")
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
        return "num_speculative_tokens: the number of draft tokens is needed, 1 or more"
    low, high = wanted.get("prompt_lookup_min"), wanted.get("prompt_lookup_max")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        return f"prompt_lookup_min is {low}, more than prompt_lookup_max, {high}"
    return None


def located(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The same with an absolute path of the model's folder, because replicas have another working directory."""
    model = wanted.get("model")
    here = isinstance(model, str) and Path(model).is_dir()
    return {**wanted, "model": str(Path(model).resolve())} if here and model else dict(wanted)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
