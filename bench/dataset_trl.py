"""Loads exported data sets with `datasets`, and trains on them with TRL. It runs in an environment of its own.

python bench/dataset_trl.py DPO_FOLDER SFT_FOLDER MODEL_FOLDER: prints a JSON object. It imports nothing of this
repository, because that environment has nothing else.
"""

import json
import math
import sys
import tempfile

PACKAGES = ("trl==1.16.0", "datasets==5.2.0")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


def main(dpo: str, sft: str, model: str) -> None:
    """A few steps of each trainer on the whole data sets as they were exported."""
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    found: dict[str, object] = {}
    for name, folder, trainer, config in (("dpo", dpo, DPOTrainer, DPOConfig), ("sft", sft, SFTTrainer, SFTConfig)):
        splits = load_dataset(folder)
        found |= {f"{name}_{split}": len(rows) for split, rows in splits.items()}
        found[f"{name}_columns"] = splits["train"].column_names
        with tempfile.TemporaryDirectory() as out:
            settings = config(
                out, max_steps=3, per_device_train_batch_size=2, report_to=[], use_cpu=True, bf16=False,
                gradient_checkpointing=False, save_strategy="no", max_length=256,
            )  # fmt: skip
            trained = trainer(
                AutoModelForCausalLM.from_pretrained(model),
                args=settings,
                train_dataset=splits["train"],
                processing_class=tokenizer,
            ).train()
            found[f"{name}_loss"] = trained.training_loss
            found[f"{name}_loss_is_finite"] = math.isfinite(trained.training_loss)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
