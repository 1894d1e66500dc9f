"""Decode token ids to text, one piece per token, without splitting a UTF-8 character."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class PieceDecoder:
    """Decodes one answer, token by token.

    `context` are the ids before the first token to decode (the end of the prompt, or the kept part of an answer),
    because some decoders write a token differently at the start of a text. A token that leaves a character incomplete
    gets the piece ``""``. `flush` returns what is incomplete at the end.
    """

    def __init__(self, tokenizer: Tokenizer, context: Sequence[int] = (), skip_special_tokens: bool = True) -> None:
        self._tokenizer = tokenizer
        self._skip = skip_special_tokens
        self._stream = DecodeStream(ids=list(context), skip_special_tokens=skip_special_tokens)
        self._unfinished: list[int] = []

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes."""
        piece = self._stream.step(self._tokenizer, token_id)
        if piece is None:
            self._unfinished.append(token_id)
            return ""
        self._unfinished.clear()
        return str(piece)

    def flush(self) -> str:
        """The rest, with U+FFFD for bytes that do not form a character."""
        rest = self._tokenizer.decode(self._unfinished, skip_special_tokens=self._skip) if self._unfinished else ""
        self._unfinished.clear()
        return rest
