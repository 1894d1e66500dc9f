"""The tokenizers of the local models: chat prompts to token ids, and the way from one tokenizer to another."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import cached_file

from ghostrouter.config import LocalModel
from ghostrouter.conversation import Message
from ghostrouter.errors import ConfigError, InvalidRequest


class ChatTokenizer:
    """A model's tokenizer with its chat template.

    Two tokenizers with the same `fingerprint` give every text the same ids and every id the same text; with the same
    `chat_fingerprint` they give every conversation the same prompt. `template_kwargs` go to the chat template.
    """

    def __init__(self, source: str, template_kwargs: Mapping[str, Any] | None = None) -> None:
        try:
            # Not AutoTokenizer: that imports torch, seconds that every ingress replica would pay.
            self._fast: Any = PreTrainedTokenizerFast.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no tokenizer.json can be loaded from {source!r}: {error}") from error
        self.backend: Tokenizer = self._fast.backend_tokenizer
        # Another one for plain text: a setting that is changed for the time of a call would be changed for all threads.
        self._plain: Tokenizer = Tokenizer.from_str(self.backend.to_str())
        self._plain.encode_special_tokens = True
        self._template_kwargs = dict(template_kwargs or {})
        definition = json.loads(self.backend.to_str())
        tokenization = {k: v for k, v in definition.items() if k not in ("padding", "truncation")}
        self.fingerprint = _digest(tokenization)
        self.chat_fingerprint = _digest([self.fingerprint, self._fast.chat_template, self._template_kwargs])

    def encode_chat(self, messages: Sequence[Message], continue_final: bool = False) -> tuple[int, ...]:
        """The ids of a conversation up to where the answer begins, or goes on if `continue_final`.

        Raises:
            InvalidRequest: the model's chat template refuses the conversation.
        """
        turns = [{"role": m.role, "content": m.content} for m in messages]
        begun = turns.pop()["content"] if continue_final else ""
        try:
            text = self._fast.apply_chat_template(
                turns, add_generation_prompt=True, tokenize=False, **self._template_kwargs
            )
        except Exception as error:  # jinja errors, and whatever a template raises
            raise InvalidRequest(f"the model's chat template refuses these messages: {error}") from error
        return (*self.encode(text), *self.encode_text(begun))

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of a text, with nothing added."""
        return tuple(self.backend.encode(text, add_special_tokens=False).ids)

    def encode_text(self, text: str) -> tuple[int, ...]:
        """The ids of a text as it is: what looks like a special token in it is none."""
        return tuple(self._plain.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        return self.backend.decode(list(ids), skip_special_tokens=True)


def load(models: Sequence[LocalModel]) -> dict[str, ChatTokenizer]:
    """The tokenizers of all models, by model name."""
    return {m.name: ChatTokenizer(_local(m.source), m.chat_template_kwargs) for m in models}


def context_tokens(model: LocalModel) -> int:
    """How many tokens prompt and answer may have together: `max_model_len`, else what the model was made for."""
    limit = model.engine_kwargs.get("max_model_len")
    if limit is None:
        path = cached_file(_local(model.source), "config.json")
        config = json.loads(Path(path).read_bytes())
        limit = config.get("text_config", config)["max_position_embeddings"]
    return int(limit)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _local(source: str) -> str:
    path = Path(source)
    return str(path.resolve()) if path.is_dir() else source
