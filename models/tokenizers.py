"""The two tokenizers: byte-level BPE for ghost-small and ghost-large, byte-fallback BPE for ghost-cloud.

Both encode any Unicode text, have one token per digit and use the same chat markers. They share hardly any token id.
Therefore a handoff between them has to go through text.
"""

import json
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

MARKERS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# A digit; a word with the space before it; punctuation with the space after it; other space.
_PIECES = Regex(r"\p{N}| ?\p{L}+|[^\s\p{L}\p{N}]+ ?|\s+")


def train_byte_level(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """GPT-2 style: the alphabet is the 256 bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def train_byte_fallback(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Llama-2 style: characters, `▁` for a space, and `<0xNN>` tokens for bytes outside the vocabulary."""
    byte_tokens = [f"<0x{b:02X}>" for b in range(256)]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=False, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\p{N}|▁?\p{L}+|[^▁\p{L}\p{N}]+|▁+"), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<unk>", *MARKERS, *byte_tokens],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    # The trainer accepts byte tokens as special tokens only, but decoding would leave special tokens out.
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if t["content"] not in byte_tokens]
    return Tokenizer.from_str(json.dumps(state))


def for_chat(tokenizer: Tokenizer, context_tokens: int) -> PreTrainedTokenizerFast:
    """Wrap a tokenizer for transformers and vLLM, with the chat template."""
    tokenizer.add_special_tokens([AddedToken(m, normalized=False) for m in MARKERS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=context_tokens,
        clean_up_tokenization_spaces=False,
    )
