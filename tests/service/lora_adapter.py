"""A small LoRA adapter in the format of peft, with random weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

_RANK, _ALPHA, _SIZE = 8, 16, 0.15
_MODULES = ("q_proj", "v_proj")


def _prefix(layer: int, module: str) -> str:
    return f"base_model.model.model.layers.{layer}.self_attn.{module}"


def write(base: Path, folder: Path) -> None:
    """Write an adapter of a Llama model."""
    model = json.loads((base / "config.json").read_bytes())
    heads = {"q_proj": model["num_attention_heads"], "v_proj": model["num_key_value_heads"]}
    rng, weights = torch.Generator().manual_seed(1), dict[str, torch.Tensor]()
    for layer in range(model["num_hidden_layers"]):
        for module in _MODULES:
            name, size = _prefix(layer, module), heads[module] * model["head_dim"]
            weights[f"{name}.lora_A.weight"] = torch.randn(_RANK, model["hidden_size"], generator=rng) * _SIZE
            weights[f"{name}.lora_B.weight"] = torch.randn(size, _RANK, generator=rng) * _SIZE
    folder.mkdir()
    save_file(weights, folder / "adapter_model.safetensors")
    told = {"peft_type": "LORA", "r": _RANK, "lora_alpha": _ALPHA, "target_modules": list(_MODULES), "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**told, "task_type": "CAUSAL_LM"}))


def merge(model: Any, folder: Path) -> None:
    """Add an adapter to the weights of a model of transformers."""
    weights = load_file(folder / "adapter_model.safetensors")
    for layer, block in enumerate(model.model.layers):
        for module in _MODULES:
            name = _prefix(layer, module)
            change = weights[f"{name}.lora_B.weight"] @ weights[f"{name}.lora_A.weight"]
            getattr(block.self_attn, module).weight.data += _ALPHA / _RANK * change
