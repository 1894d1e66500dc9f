"""The tokenizers of the local models: chat messages to token ids, and text to and from token ids."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ghostrouter.config import LocalModel
from ghostrouter.conversation import NO_FEATURES, Features, Message, is_bare
from ghostrouter.errors import ConfigError, InvalidRequest
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.signals.decode import PieceDecoder


class ChatTokenizer:
    """A model's tokenizer with its chat template.

    Two tokenizers with the same `fingerprint` map texts to ids and ids to texts alike. With the same `chat_fingerprint`
    they also make the same prompt of a conversation. `template_kwargs` are passed to the chat template. `format` is how
    the model writes tool calls and reasoning. `vision`: its prompts may show images.
    """

    def __init__(
        self,
        source: str,
        template_kwargs: Mapping[str, Any] | None = None,
        tool_parser: str | None = None,
        reasoning_parser: str | None = None,
        vision: bool = False,
    ) -> None:
        # Slow to import, and not needed if all models are in the cloud.
        from transformers import PreTrainedTokenizerFast

        try:
            # Not AutoTokenizer: it imports torch, which would delay the start of every ingress replica by seconds.
            self._fast: Any = PreTrainedTokenizerFast.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise ConfigError(f"no tokenizer.json can be loaded from {source!r}: {error}") from error
        self.backend: Tokenizer = self._fast.backend_tokenizer
        # A second tokenizer for plain text. Changing a setting for one call would change it for all threads.
        self._plain: Tokenizer = Tokenizer.from_str(self.backend.to_str())
        self._plain.encode_special_tokens = True
        self._template_kwargs = dict(template_kwargs or {})
        self.format = ChatFormat.of(str(self._fast.chat_template or ""), tool_parser, reasoning_parser)
        definition = json.loads(self.backend.to_str())
        tokenization = {k: v for k, v in definition.items() if k not in ("padding", "truncation")}
        self.fingerprint = _digest(tokenization)
        self._longest = _longest_token(definition)
        self.chat_fingerprint = _digest([self.fingerprint, self._fast.chat_template, self._template_kwargs])
        # Some templates of vision models read no plain texts, only lists of parts.
        self._lists_all = vision and not self._says("PROBE")
        if vision and not self._says([{"type": "image"}, {"type": "text", "text": "PROBE"}]):
            raise ConfigError(f"the chat template of {source!r} shows no images; set `vision: false`")

    def least_tokens(self, messages: Sequence[Message]) -> int:
        """A number of tokens that a conversation has at least, found without encoding it: 0 where nothing is known."""
        return sum(len(m.content) for m in messages) // self._longest if self._longest else 0

    def encode_chat(
        self, messages: Sequence[Message], continue_final: bool = False, features: Features = NO_FEATURES
    ) -> tuple[int, ...]:
        """The ids of a conversation, up to where the model writes. With `continue_final` it continues the last message.

        A bare prompt is encoded as it is, with the special tokens that the tokenizer puts around a text.

        Raises:
            InvalidRequest: the model's chat template refuses the conversation.
        """
        if is_bare(messages):
            return tuple(self.backend.encode(messages[0].content, add_special_tokens=True).ids)
        begun = messages[-1].content if continue_final else ""
        turns = self.format.turns(messages[:-1] if continue_final else messages, features)
        if self._lists_all:
            turns = [_listed(turn) for turn in turns]
        variables = self._template_kwargs | self.format.variables(features)
        try:
            text = self._fast.apply_chat_template(turns, add_generation_prompt=True, tokenize=False, **variables)
        except Exception as error:  # jinja errors, and anything else that a template raises
            raise InvalidRequest(f"the model's chat template refuses these messages: {error}") from error
        return (*self.encode(text), *self.encode_text(begun))

    def _says(self, content: Any) -> bool:
        """Whether the chat template tells the model the text PROBE of a message, as it is."""
        try:
            text = self._fast.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
        except Exception:  # noqa: BLE001 - whatever a template raises
            return False
        return "PROBE" in text and "'PROBE'" not in text

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of a text. No special tokens are added."""
        return tuple(self.backend.encode(text, add_special_tokens=False).ids)

    def encode_text(self, text: str) -> tuple[int, ...]:
        """The ids of a text. Text that looks like a special token is encoded as plain text."""
        return tuple(self._plain.encode(text, add_special_tokens=False).ids)

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The text of each of some consecutive ids, special tokens included."""
        decoder = PieceDecoder(self.backend, skip_special_tokens=False)
        return tuple(decoder.push(i) for i in ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        return self.backend.decode(list(ids), skip_special_tokens=True)


def load(models: Sequence[LocalModel]) -> dict[str, ChatTokenizer]:
    """The tokenizers of all models, by model name."""
    return {
        m.name: ChatTokenizer(_local(m.source), m.chat_template_kwargs, m.tool_parser, m.reasoning_parser, m.vision)
        for m in models
    }


def context_tokens(model: LocalModel) -> int:
    """The context window in tokens: `max_model_len` if it is configured, else the model's own."""
    limit = model.engine_kwargs.get("max_model_len")
    if limit is None:
        from transformers.utils import cached_file  # slow to import

        path = cached_file(_local(model.source), "config.json")
        config = json.loads(Path(path).read_bytes())
        limit = config.get("text_config", config)["max_position_embeddings"]
    return int(limit)


def _listed(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn whose content is a list of parts."""
    said = turn["content"]
    return turn | {"content": [{"type": "text", "text": said}]} if isinstance(said, str) else turn


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _local(source: str) -> str:
    path = Path(source)
    return str(path.resolve()) if path.is_dir() else source


def _longest_token(definition: Mapping[str, Any]) -> int:
    """The most bytes a token can stand for; 0 where the tokenizer may drop or replace parts of a text."""
    if (
        definition["model"]["type"] != "BPE"
        or definition.get("normalizer")
        or (definition.get("decoder") or {}).get("type") != "ByteLevel"
    ):
        return 0
    # A byte-level vocabulary writes each byte as one character.
    tokens = [*definition["model"]["vocab"], *(t["content"] for t in definition["added_tokens"])]
    return max(map(len, tokens))
