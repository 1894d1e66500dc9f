"""How a cloud model is asked to go on: chat messages, by what it is able to do."""

import json
from collections.abc import Iterable, Sequence

from ghostrouter.config import CloudModel
from ghostrouter.conversation import NO_FEATURES, Features, Image, Message
from ghostrouter.errors import SeamRefused
from ghostrouter.replay.language import instruction
from ghostrouter.types import CloudPrompt, ReasoningPart, Token

# Most tokenizers write English in four bytes a token or more, and a Chinese character (three bytes) in one or less.
_BYTES_PER_TOKEN = 3
# For an answer that has begun: it is not to be cut too early.
_BYTES_PER_TOKEN_WRITTEN = 4
_TOKENS_PER_MESSAGE = 4
# A large picture in high detail; most take less.
_TOKENS_PER_IMAGE = 1600


def cloud_prompt(
    model: CloudModel,
    messages: tuple[Message, ...],
    continue_final: bool,
    written: str,
    features: Features = NO_FEATURES,
) -> CloudPrompt:
    """What to ask for an answer of which `written` is there.

    With `continue_final` the last message is the client's own beginning of it.

    Raises:
        SeamRefused: something is there, and the model cannot go on with it.
    """
    asked, begun = (messages[:-1], messages[-1].content) if continue_final else (messages, "")
    kept = begun + written
    if not kept:
        return CloudPrompt(asked, "restart", "", estimate_tokens(asked) + _feature_tokens(features), 0, features)
    if features.binds:
        raise SeamRefused(
            f"{'tools' if features.tools else 'guided_decoding'}: an answer that has begun stays where it is"
        )
    if model.continues == "none":
        raise SeamRefused(f"{model.name} cannot go on with an answer that has begun")
    turns = (*asked, Message("assistant", kept))
    count = estimate_tokens((*asked, Message("assistant", begun)) if begun else asked)
    if model.continues != "instruct":
        return CloudPrompt(turns, "prefix", kept, count, 0, features)
    order = Message("user", instruction(_conversation(asked) or kept))
    return CloudPrompt((*turns, order), "instruct", kept, count, estimate_tokens((order,)), features)


def most_instruction_tokens(model: CloudModel, messages: Sequence[Message]) -> int:
    """The room to leave for an instruction that a seam may add."""
    if model.continues != "instruct":
        return 0
    return estimate_tokens((Message("user", instruction(_conversation(messages))),))


def estimate_tokens(messages: Sequence[Message]) -> int:
    """About how many tokens messages have for a model whose tokenizer is not known; rather too many than too few."""
    return sum(_TOKENS_PER_MESSAGE + estimate_text_tokens(m.content) + _other_tokens(m) for m in messages)


def _other_tokens(message: Message) -> int:
    """Of what is no text in a message: pictures and tool calls."""
    calls = sum(_TOKENS_PER_MESSAGE + estimate_text_tokens(c.name + c.arguments) for c in message.tool_calls)
    return calls + _TOKENS_PER_IMAGE * sum(isinstance(p, Image) for p in message.parts)


def _feature_tokens(features: Features) -> int:
    told = [t.name + t.description + json.dumps(t.parameters) for t in features.tools]
    if features.schema:
        told.append(json.dumps(features.schema.schema))
    return sum(_TOKENS_PER_MESSAGE + estimate_text_tokens(t) for t in told)


def estimate_text_tokens(text: str) -> int:
    """About how many tokens a text has; none has less than one."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


def written_tokens(token: Token) -> int:
    """How many tokens of its model a token stands for: one, or about as many as the text that came in one event."""
    if token.rank > 0 or token.id >= 0:
        return 1
    aside = token.aside
    beside = "" if aside is None else aside.text if isinstance(aside, ReasoningPart) else aside.name + aside.arguments
    return estimate_text_tokens(token.text) + estimate_text_tokens(beside)


def answer_tokens(tokens: Iterable[Token]) -> int:
    """How many tokens an answer has: as many as there are, where that is known, else rather too few than too many.

    What comes in one event of a model of the cloud may be a letter or a page: events and bytes are both counted, and
    the lower number is taken, so that an answer is not cut short that is gone on with.
    """
    known = events = text_bytes = 0
    for token in tokens:
        if token.rank > 0 or token.id >= 0:
            known += 1
        elif token.text:
            events += 1
            text_bytes += len(token.text.encode("utf-8", "replace"))
    return known + min(events, -(-text_bytes // _BYTES_PER_TOKEN_WRITTEN))


def _conversation(messages: Sequence[Message]) -> str:
    """What the user said last: the language of the answer."""
    return next((m.content for m in reversed(messages) if m.role == "user"), "")
