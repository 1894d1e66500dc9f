"""Random JSON schemas whose answers are short, and the tokenizers that tests write them with. From a seed alone."""

import json
from random import Random
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

_NAMES = ("name", "age", "city", "tags", "ok", "größe", "price", "items", "note")


def schema(rng: Random, depth: int = 2) -> dict[str, Any]:
    """The schema of a JSON object."""
    names = rng.sample(_NAMES, rng.randint(1, 3))
    required = [n for n in names if rng.random() < 0.7]
    properties = {name: _value(rng, depth - 1) for name in names}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(rng: Random, depth: int) -> dict[str, Any]:
    kind = rng.choice(("string", "integer", "boolean", "enum", "null", *(("object", "array") if depth else ())))
    if kind == "object":
        return schema(rng, depth)
    if kind == "array":
        return {"type": "array", "items": _value(rng, depth - 1), "minItems": 0, "maxItems": 3}
    if kind == "enum":
        return {"enum": rng.sample(["red", "grün", "blue", 'a "quoted" one', 7, None], 3)}
    if kind == "string":
        return {"type": "string", "maxLength": 8}
    return {"type": "integer", "minimum": 0, "maximum": 999} if kind == "integer" else {"type": kind}


def tokenizer(size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of JSON. Its token 0 ends a text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    rng = Random(size)
    corpus = [json.dumps(schema(rng), ensure_ascii=False) for _ in range(60)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<end>"], initial_alphabet=alphabet)
    made.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>")
