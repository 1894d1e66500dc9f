"""Where one model stops and the next goes on: rollback point, continuation and the prompt to go on from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Continuation, Message, Token


@dataclass(frozen=True, slots=True)
class Piece:
    """What one segment has kept: the model that wrote it, its token ids and their text pieces."""

    model: str
    ids: tuple[int, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeamRequest:
    """An answer that is to go on with `target`.

    `pieces` are all segments so far. Of the last one, `settled` tokens must stay (the client has them) and
    those from `onset` on are to go, if there is an onset.
    """

    session: str
    messages: tuple[Message, ...]
    continue_final: bool
    pieces: tuple[Piece, ...]
    settled: int
    onset: int | None
    target: str


@dataclass(frozen=True, slots=True)
class Seam:
    """How the answer goes on: `keep` tokens of the last segment stay, `prompt_ids` are what the target
    prefills, the last `kept_tokens` of them being the answer so far."""

    target: str
    keep: int
    rollback_tokens: int
    continuation: Continuation
    prompt_ids: tuple[int, ...]
    kept_tokens: int


def rollback_point(texts: Sequence[str], settled: int, onset: int | None) -> int:
    """How many tokens of a segment to keep: up to the onset, never less than is settled.

    The point moves back over tokens without text of their own, so that no character is cut in two; the
    client has not seen anything of those.
    """
    keep = len(texts) if onset is None else max(settled, min(onset, len(texts)))
    while keep > 0 and not texts[keep - 1]:
        keep -= 1
    return keep


def plan_seam(request: SeamRequest, tokenizers: Mapping[str, ChatTokenizer]) -> Seam:
    """The seam for a request.

    Between models of one tokenizer the exact token ids go over; otherwise the text does, encoded anew.
    """
    last = request.pieces[-1]
    keep = rollback_point(last.texts, request.settled, request.onset)
    kept = (*request.pieces[:-1], Piece(last.model, last.ids[:keep], last.texts[:keep]))
    target = tokenizers[request.target]
    if all(tokenizers[p.model].fingerprint == target.fingerprint for p in kept if p.ids):
        continuation: Continuation = "token_ids"
        answer = tuple(i for p in kept for i in p.ids)
    else:
        continuation = "prefix"
        answer = target.encode("".join(text for p in kept for text in p.texts))
    prompt = target.encode_chat(request.messages, request.continue_final)
    return Seam(
        target=request.target,
        keep=keep,
        rollback_tokens=len(last.ids) - keep,
        continuation=continuation,
        prompt_ids=(*prompt, *answer),
        kept_tokens=len(answer),
    )


def piece(model: str, tokens: Sequence[Token]) -> Piece:
    """The tokens of a segment as a seam needs them."""
    return Piece(model, tuple(t.id for t in tokens), tuple(t.text for t in tokens))
