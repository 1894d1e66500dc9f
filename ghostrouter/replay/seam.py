"""The seam between two models: where the first one's text is cut, and what prompt the next one gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    """The kept part of one segment: its model, its token ids and the text of each.

    `parsed`: the segment has tool calls or reasoning, which the texts leave out.
    """

    model: str
    ids: tuple[int, ...]
    texts: tuple[str, ...]
    parsed: bool = False


@dataclass(frozen=True, slots=True)
class SeamRequest:
    """A request to plan how `target` continues an answer.

    `pieces` are all segments so far. Of the last one, the first `settled` tokens must stay, because the client has
    them. The tokens from `onset` on are to be removed; None: no token is doubtful. `called`: the client has part of a
    tool call. `calm`: the answer is handed back, no token is wrong, so the cut may move later.
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
    """How the answer continues.

    `keep` tokens of the last segment stay. A local target prefills `prompt_ids`; the last `kept_tokens` of them are the
    answer so far. A cloud target has no `prompt_ids`; it gets the prompt `cloud`.
    """

    target: str
    keep: int
    rollback_tokens: int
    continuation: Continuation
    prompt_ids: tuple[int, ...]
    kept_tokens: int
    cloud: CloudPrompt | None = None


def rollback_point(texts: Sequence[str], settled: int, onset: int | None) -> int:
    """How many tokens of a segment to keep: those before the onset, but never fewer than are settled.

    Settled tokens without text of their own are the exception: the cut moves back over them, so that no character is
    cut in two. The client has seen nothing of them.
    """
    keep = len(texts) if onset is None else max(settled, min(onset, len(texts)))
    while keep > 0 and not texts[keep - 1]:
        keep -= 1
    return keep


def plan_seam(
    request: SeamRequest, tokenizers: Mapping[str, ChatTokenizer], cloud: Mapping[str, CloudModel] = _NO_CLOUD
) -> Seam:
    """Plan how the target continues the answer.

    If both models share a tokenizer, the target gets the exact token ids. Otherwise it gets text, cut at a safe place
    unless the client has more already. A local model gets the text encoded anew, a cloud model gets it in messages.

    Raises:
        SeamRefused: the target cannot continue what the client has.
    """
    model = cloud.get(request.target)
    if any(p.parsed for p in request.pieces):
        request = _as_written(request, tokenizers)
    last = request.pieces[-1]
    most = rollback_point(last.texts, request.settled, request.onset)
    exact = _exact(request, most, tokenizers)
    if exact:
        return exact
    before = "".join(text for p in request.pieces[:-1] for text in p.texts)
    least = min(request.settled, most)
    starts_over = model and (model.continues == "none" or request.features.binds)
    if starts_over and not before and least == 0:
        keep = 0  # nothing has to stay, so the target starts over
    else:
        keep = rollback_point(last.texts[: safe_keep(before, last.texts, least, most)], 0, None)
    if request.calm and not model:
        keep = _next_token_start(tokenizers[request.target], before, last.texts, keep)
    text = before + "".join(last.texts[:keep])
    seam = partial(Seam, request.target, keep, len(last.texts) - keep)
    if model:
        asked = cloud_prompt(model, request.messages, request.continue_final, text, request.features)
        return seam(asked.continuation, (), 0, asked)
    target = tokenizers[request.target]
    prompt = target.encode_chat(request.messages, request.continue_final, request.features)
    answer = target.encode(text) if any(p.parsed for p in request.pieces) else target.encode_text(text)
    return seam("prefix", (*prompt, *answer), len(answer))


def _as_written(request: SeamRequest, tokenizers: Mapping[str, ChatTokenizer]) -> SeamRequest:
    """The request with tool calls and reasoning in its texts, as the models have written them.

    A target with another format gets the text alone. That is possible as long as the client has no part of a call.

    Raises:
        SeamRefused: the client has one.
    """
    target = tokenizers.get(request.target)
    sources = {p.model: tokenizers.get(p.model) for p in request.pieces}
    if target and all(s and s.format == target.format for s in sources.values()):
        pieces = [replace(p, texts=s.pieces(p.ids)) for p in request.pieces if (s := sources[p.model])]
        return replace(request, pieces=tuple(pieces))
    if request.called:
        raise SeamRefused("tools: a tool call that has begun stays with models that write calls in the same format")
    return replace(request, pieces=tuple(replace(p, parsed=False) for p in request.pieces))


def _next_token_start(target: ChatTokenizer, before: str, texts: Sequence[str], keep: int) -> int:
    """The first place after `keep` tokens at which a token of the target begins, if the target writes this text.

    Some models have one token for a full stop and the space after it. For them a full stop alone is the end of an
    answer. `keep` itself does not count: with the text up to there alone, nobody knows whether the target's last token
    would go on.
    """
    whole = target.encode_text(before + "".join(texts))
    for more in range(keep + 1, len(texts)):
        ids = target.encode_text(before + "".join(texts[:more]))
        if texts[more - 1] and ids == whole[: len(ids)]:
            return more
    return len(texts)


def _exact(request: SeamRequest, keep: int, tokenizers: Mapping[str, ChatTokenizer]) -> Seam | None:
    """A seam by token ids. None if the target's tokenizer differs from that of any kept token."""
    target = tokenizers.get(request.target)
    last = request.pieces[-1]
    kept = [p for p in (*request.pieces[:-1], Piece(last.model, last.ids[:keep], last.texts[:keep])) if p.ids]
    prints = {t.fingerprint if (t := tokenizers.get(p.model)) else None for p in kept}
    formats = {t.format if (t := tokenizers.get(p.model)) else None for p in kept}
    if target is None or prints - {target.fingerprint} or formats - {target.format}:
        return None
    answer = tuple(i for p in kept for i in p.ids)
    prompt = target.encode_chat(request.messages, request.continue_final, request.features)
    return Seam(request.target, keep, len(last.ids) - keep, "token_ids", (*prompt, *answer), len(answer))


def piece(model: str, tokens: Sequence[Token]) -> Piece:
    """A segment's tokens as a `Piece`."""
    parsed = any(t.aside is not None for t in tokens)
    return Piece(model, tuple(t.id for t in tokens), tuple(t.text for t in tokens), parsed)
