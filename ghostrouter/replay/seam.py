"""Where one model stops and the next goes on: rollback point, continuation and the prompt to go on from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from ghostrouter.config import CloudModel
from ghostrouter.conversation import NO_FEATURES, Features, Message
from ghostrouter.errors import SeamRefused
from ghostrouter.replay.boundary import safe_keep
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import CloudPrompt, Continuation, Token

_NO_CLOUD: Mapping[str, CloudModel] = MappingProxyType({})


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
    those from `onset` on are to go, if there is an onset. `called`: the client has seen a part of a tool call.
    `calm`: nothing is wrong with those tokens, they may stay as well (an answer is handed back).
    """

    session: str
    messages: tuple[Message, ...]
    continue_final: bool
    pieces: tuple[Piece, ...]
    settled: int
    onset: int | None
    target: str
    features: Features = NO_FEATURES
    called: bool = False
    calm: bool = False


@dataclass(frozen=True, slots=True)
class Seam:
    """How the answer goes on: `keep` tokens of the last segment stay, `prompt_ids` are what the target
    prefills, the last `kept_tokens` of them being the answer so far. A cloud model has none; it is asked `cloud`."""

    target: str
    keep: int
    rollback_tokens: int
    continuation: Continuation
    prompt_ids: tuple[int, ...]
    kept_tokens: int
    cloud: CloudPrompt | None = None


def rollback_point(texts: Sequence[str], settled: int, onset: int | None) -> int:
    """How many tokens of a segment to keep: up to the onset, never less than is settled.

    The point moves back over tokens without text of their own, so that no character is cut in two; the
    client has not seen anything of those.
    """
    keep = len(texts) if onset is None else max(settled, min(onset, len(texts)))
    while keep > 0 and not texts[keep - 1]:
        keep -= 1
    return keep


def plan_seam(
    request: SeamRequest, tokenizers: Mapping[str, ChatTokenizer], cloud: Mapping[str, CloudModel] = _NO_CLOUD
) -> Seam:
    """The seam for a request.

    Between models of one tokenizer the exact token ids go over. Otherwise the text does, cut back to where nothing is
    torn apart unless the client has more already: encoded anew, or in messages for a model of the cloud.

    Raises:
        SeamRefused: the target cannot go on with what the client has.
    """
    if request.called:
        raise SeamRefused("tools: a tool call that has begun stays where it is")
    last = request.pieces[-1]
    most = rollback_point(last.texts, request.settled, request.onset)
    model = cloud.get(request.target)
    if model is None and request.features.binds:
        raise SeamRefused(f"{request.target} does not support JSON schemas or tools")
    exact = _exact(request, most, tokenizers)
    if exact:
        return exact
    before = "".join(text for p in request.pieces[:-1] for text in p.texts)
    least = min(request.settled, most)
    starts_over = model and (model.continues == "none" or request.features.binds)
    if starts_over and not before and least == 0:
        keep = 0  # it can start over
    else:
        keep = rollback_point(last.texts[: safe_keep(before, last.texts, least, most)], 0, None)
    if request.calm and not model:
        keep = _behind(tokenizers[request.target], before, last.texts, keep)
    text = before + "".join(last.texts[:keep])
    seam = partial(Seam, request.target, keep, len(last.texts) - keep)
    if model:
        asked = cloud_prompt(model, request.messages, request.continue_final, text, request.features)
        return seam(asked.continuation, (), 0, asked)
    target = tokenizers[request.target]
    prompt, answer = target.encode_chat(request.messages, request.continue_final), target.encode_text(text)
    return seam("prefix", (*prompt, *answer), len(answer))


def _behind(target: ChatTokenizer, before: str, texts: Sequence[str], keep: int) -> int:
    """The first cut from `keep` on behind which a token of the target begins, were it to write all of this.

    A model whose tokens hold a full stop and the space after it takes a full stop alone for the end of the answer. At
    least one more token stays: of what comes after the last nothing is known.
    """
    whole = target.encode_text(before + "".join(texts))
    for more in range(keep + 1, len(texts)):
        ids = target.encode_text(before + "".join(texts[:more]))
        if texts[more - 1] and ids == whole[: len(ids)]:
            return more
    return len(texts)


def _exact(request: SeamRequest, keep: int, tokenizers: Mapping[str, ChatTokenizer]) -> Seam | None:
    """The seam by token ids, None where the target does not share those of all that is kept."""
    target = tokenizers.get(request.target)
    last = request.pieces[-1]
    kept = [p for p in (*request.pieces[:-1], Piece(last.model, last.ids[:keep], last.texts[:keep])) if p.ids]
    prints = {t.fingerprint if (t := tokenizers.get(p.model)) else None for p in kept}
    if target is None or prints - {target.fingerprint}:
        return None
    answer = tuple(i for p in kept for i in p.ids)
    prompt = target.encode_chat(request.messages, request.continue_final)
    return Seam(request.target, keep, len(last.ids) - keep, "token_ids", (*prompt, *answer), len(answer))


def piece(model: str, tokens: Sequence[Token]) -> Piece:
    """The tokens of a segment as a seam needs them."""
    return Piece(model, tuple(t.id for t in tokens), tuple(t.text for t in tokens))
