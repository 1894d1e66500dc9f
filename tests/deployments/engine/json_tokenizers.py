"""Byte-level BPE tokenizers of JSON, of any size, trained in an instant."""

import json
from random import Random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from bench.schemas import schema


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
