"""A tiny vision model with random weights, in the format of Hugging Face. It describes nothing, but it sees."""

import json
from pathlib import Path

import torch
from transformers import Idefics3Config, Idefics3ForConditionalGeneration, PreTrainedTokenizerFast

_SIDE, _PATCH = 28, 14
_IMAGE = "<image>"
_MARKS = ["<fake_token_around_image>", _IMAGE, "<global-img>", "<end_of_utterance>"]
_TILES = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
_SAID = "{% for p in m.content %}{% if p.type == 'image' %}<image>{% else %}{{ p.text }}{% endif %}{% endfor %}"
_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
    f"{_SAID}{{% endif %}}{{% endfor %}}<|assistant|>"
)


def write(tokenizer: Path, folder: Path) -> None:
    """Write a model that has the tokenizer of a text model, with marks for images besides."""
    tokens = PreTrainedTokenizerFast.from_pretrained(tokenizer)
    tokens.add_special_tokens({"additional_special_tokens": _MARKS + _TILES})
    tokens.chat_template = _TEMPLATE
    tokens.save_pretrained(folder)
    config = Idefics3Config(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": _SIDE,
            "patch_size": _PATCH,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokens),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": 1024,
            "initializer_range": 0.3,
            "bos_token_id": None,
            "eos_token_id": 1,
            "pad_token_id": 0,
        },
        image_token_id=tokens.convert_tokens_to_ids(_IMAGE),
        scale_factor=1,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = Idefics3ForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if "vision" in name or "connector" in name:  # so large that an answer depends on the image
            weight.data = torch.randn_like(weight) * 0.3
    model.save_pretrained(folder)
    half = [0.5] * 3
    images = {
        "image_processor_type": "Idefics3ImageProcessor",
        "do_convert_rgb": True,
        "do_image_splitting": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": half,
        "image_std": half,
        "max_image_size": {"longest_edge": _SIDE},
        "resample": 1,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": 2 * _SIDE},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    seen = {"processor_class": "Idefics3Processor", "image_seq_len": (_SIDE // _PATCH) ** 2}
    (folder / "processor_config.json").write_text(json.dumps(seen))
