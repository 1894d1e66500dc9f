"""The tokenizers of the local models: chat prompts to token ids, and the way from one tokenizer to another."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import cached_file

from ghostrouter.errors import ConfigError, InvalidRequest
from ghostrouter.types import Message


class ChatTokenizer:
    """A model's tokenizer with its chat template.

    Two tokenizers with the same `fingerprint` give every text the same ids and every id the same text.
    """

    def __init__(self, source: str) -> None:
        try:
            # Not AutoTokenizer: that imports torch, seconds that every ingress replica would pay.
            self._fast: Any = PreTrainedTokenizerFast.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no tokenizer.json can be loaded from {source!r}: {error}") from error
        self.backend: Tokenizer = self._fast.backend_tokenizer
        vocabulary = sorted(self.backend.get_vocab(with_added_tokens=True).items())
        self.fingerprint = hashlib.sha256(repr(vocabulary).encode()).hexdigest()[:16]

    def encode_chat(self, messages: Sequence[Message], continue_final: bool = False) -> tuple[int, ...]:
        """The ids of a conversation up to where the answer begins, or goes on if `continue_final`.

        Raises:
            InvalidRequest: the model's chat template refuses the conversation.
        """
        turns = [{"role": m.role, "content": m.content} for m in messages]
        begun = turns.pop()["content"] if continue_final else ""
        try:
            text = self._fast.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        except Exception as error:  # jinja errors, and whatever a template raises
            raise InvalidRequest(f"the model's chat template refuses these messages: {error}") from error
        return (*self.encode(text), *self.encode(begun))

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of a text, with nothing added."""
        return tuple(self.backend.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        return self.backend.decode(list(ids), skip_special_tokens=True)


def load(sources: Mapping[str, str]) -> dict[str, ChatTokenizer]:
    """The tokenizers of all models, by model name; models with the same source share one."""
    by_source = {source: ChatTokenizer(_local(source)) for source in set(sources.values())}
    return {model: by_source[source] for model, source in sources.items()}


def context_tokens(source: str, engine_kwargs: Mapping[str, Any]) -> int:
    """How many tokens prompt and answer may have together: `max_model_len`, else what the model was made for."""
    limit = engine_kwargs.get("max_model_len")
    if limit is None:
        path = cached_file(_local(source), "config.json")
        config = json.loads(Path(path).read_bytes())
        limit = config.get("text_config", config)["max_position_embeddings"]
    return int(limit)


def _local(source: str) -> str:
    path = Path(source)
    return str(path.resolve()) if path.is_dir() else source
