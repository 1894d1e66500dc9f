"""Write a GGUF file's model in Hugging Face's format, its weights as bfloat16. Run by `scripts.real_models`.

python -m scripts.dequantise model.gguf FOLDER OLD NEW
"""

import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def dequantise(file: Path, folder: Path, old: str, new: str) -> None:
    """Write the model and its tokenizer. In its chat template the text `old` becomes `new`."""
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    tokenizer: Any = AutoTokenizer.from_pretrained(**where)
    model: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    model.save_pretrained(folder)
    if old:
        tokenizer.chat_template = tokenizer.chat_template.replace(old, new)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    dequantise(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
