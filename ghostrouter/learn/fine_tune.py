"""Fine-tuning with TRL and PEFT: a LoRA adapter of any causal LM, from the data sets that `ghostrouter export` writes.

A supervised example (`messages`) teaches the last message only. A preference (`prompt`, `chosen`, `rejected`) is taught
by direct preference optimisation (Rafailov et al., 2023) against the model without the adapter.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from ghostrouter.errors import ConfigError

Method = Literal["sft", "dpo"]
_COLUMNS: Mapping[Method, frozenset[str]] = {
    "sft": frozenset({"messages"}),
    "dpo": frozenset({"prompt", "chosen", "rejected"}),
}
_FILES = {"train": "train.jsonl", "validation": "validation.jsonl"}


@dataclass(frozen=True, slots=True)
class Tuning:
    """How an adapter is trained. `rank` is that of its matrices, `batch` a number of examples.

    With `merge` a whole model is written, with the adapter in its weights.
    """

    epochs: float = 3.0
    learning_rate: float = 2e-4
    rank: int = 16
    batch: int = 8
    most_tokens: int = 1024
    seed: int = 0
    merge: bool = False


class Tuned(NamedTuple):
    """What training came to: examples, the mean loss in training, and the loss on the validation split, if any."""

    examples: int
    loss: float
    validation_loss: float | None


def fine_tune(method: Method, data: Sequence[Path], model: str, out: Path, tuning: Tuning) -> Tuned:
    """Train a LoRA adapter of `model` (a folder or a hub's id) on the folders `data`, and write it to `out`.

    A merged model is written with its tokenizer, and can be served, or trained on, like the one that it comes from.

    The weights are written as safetensors. Nothing that is written is a pickle. A GPU is used if there is one.

    Raises:
        ImportError: TRL or PEFT is not installed.
        ConfigError: the data or the model cannot be used.
    """
    from peft import LoraConfig
    from transformers import AutoTokenizer, set_seed
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    rows = _read(method, data)
    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no tokenizer can be loaded from {model!r}: {error}") from error
    if not tokenizer.chat_template:
        raise ConfigError(f"{model} has no chat template; take its variant for chats")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    set_seed(tuning.seed)  # the adapter's first weights are drawn at random
    trainer, settings = (SFTTrainer, SFTConfig) if method == "sft" else (DPOTrainer, DPOConfig)
    with TemporaryDirectory() as work:
        training = trainer(
            _weights(model),
            args=settings(work, **_settings(tuning)),
            train_dataset=rows["train"],
            eval_dataset=rows.get("validation"),
            processing_class=tokenizer,
            peft_config=LoraConfig(
                r=tuning.rank,
                lora_alpha=2 * tuning.rank,
                lora_dropout=0.05,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        loss = float(training.train().training_loss)
        measured = training.evaluate() if "validation" in rows else {}
        tuned = training.model.merge_and_unload() if tuning.merge else training.model
        tuned.save_pretrained(out, safe_serialization=True)
        if tuning.merge:
            tokenizer.save_pretrained(out)
    return Tuned(len(rows["train"]), loss, measured.get("eval_loss"))


def _read(method: Method, data: Sequence[Path]) -> Any:
    """The splits of data sets together, with the prompt of each supervised example apart from the answer to it."""
    from datasets import Dataset, DatasetDict

    found: dict[str, list[dict[str, Any]]] = {}
    for folder in data:
        files = {split: folder / name for split, name in _FILES.items() if (folder / name).is_file()}
        if "train" not in files:
            raise ConfigError(f"{folder}: there is no train.jsonl; `ghostrouter export {method}` writes one")
        for split, file in files.items():
            found.setdefault(split, []).extend(_lines(method, file))
    rows = DatasetDict({split: Dataset.from_list(lines) for split, lines in found.items()})
    return rows if method == "dpo" else rows.map(_parted, remove_columns=["messages"])


def _lines(method: Method, file: Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{file}:{number}: this is no JSON: {error}") from error
        if not isinstance(row, dict) or not _COLUMNS[method] <= row.keys():
            raise ConfigError(f"{file}:{number}: {method} needs {', '.join(sorted(_COLUMNS[method]))}")
        if method == "sft" and len(row["messages"]) < 2:
            raise ConfigError(f"{file}:{number}: a prompt and its answer are needed in messages")
        found.append({name: row[name] for name in _COLUMNS[method]})
    if not found:
        raise ConfigError(f"{file}: there are no examples")
    return found


def _parted(row: dict[str, Any]) -> dict[str, Any]:
    *prompt, answer = row["messages"]
    return {"prompt": prompt, "completion": [answer]}


def _weights(model: str) -> Any:
    """The model: as bfloat16 on a GPU that computes with it, else as float32."""
    import torch
    from transformers import AutoModelForCausalLM

    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    try:
        return AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16 if half else torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no model can be loaded from {model!r}: {error}") from error


def _settings(tuning: Tuning) -> dict[str, Any]:
    import torch

    has_gpu = torch.cuda.is_available()
    return {
        "num_train_epochs": tuning.epochs,
        "learning_rate": tuning.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05,  # a share of all steps
        "per_device_train_batch_size": tuning.batch,
        "per_device_eval_batch_size": tuning.batch,
        "max_length": tuning.most_tokens,
        "seed": tuning.seed,
        "use_cpu": not has_gpu,
        "bf16": has_gpu and torch.cuda.is_bf16_supported(),
        "gradient_checkpointing": has_gpu,
        "dataloader_pin_memory": has_gpu,
        "save_strategy": "no",
        "report_to": [],
        "logging_steps": 50,
        "disable_tqdm": None,
    }
