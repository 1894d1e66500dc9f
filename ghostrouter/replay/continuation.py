"""Prompts that ask a cloud model to continue an answer. Their form depends on what the model supports."""

import json
from collections.abc import Iterable, Sequence

from ghostrouter.config import CloudModel
from ghostrouter.conversation import NO_FEATURES, Features, Image, Message, is_bare
from ghostrouter.errors import SeamRefused
from ghostrouter.replay.language import instruction
from ghostrouter.types import CloudPrompt, Frame, ReasoningPart, Token

# In most tokenizers a token has four bytes of English or more, or one Chinese character (three bytes) or more.
_BYTES_PER_TOKEN = 3
# For text that is already written. The estimate must not be too high, else the answer is cut too early.
_BYTES_PER_TOKEN_WRITTEN = 4
_TOKENS_PER_MESSAGE = 4
# A large picture in high detail. Most pictures take less.
_TOKENS_PER_IMAGE = 1600


def cloud_prompt(
    model: CloudModel,
    messages: tuple[Message, ...],
    continue_final: bool,
    written: str,
    features: Features = NO_FEATURES,
) -> CloudPrompt:
    """The prompt for an answer of which the text `written` exists already.

    With `continue_final` the last message is from the client: it is the start of the answer.

    Raises:
        SeamRefused: some text exists, and the model cannot continue it.
    """
    if is_bare(messages):
        raise SeamRefused(f"{model.name} answers conversations only, and this is a bare prompt")
    asked, begun = (messages[:-1], messages[-1].content) if continue_final else (messages, "")
    kept = begun + written
    if not kept:
        return CloudPrompt(asked, "restart", "", estimate_prompt_tokens(asked) + _feature_tokens(features), 0, features)
    if features.binds:
        raise SeamRefused(
            f"{'tools' if features.tools else 'guided_decoding'}: an answer that has begun stays where it is"
        )
    if model.continues == "none":
        raise SeamRefused(f"{model.name} cannot go on with an answer that has begun")
    turns = (*asked, Message("assistant", kept))
    count = estimate_prompt_tokens((*asked, Message("assistant", begun)) if begun else asked)
    if model.continues != "instruct":
        return CloudPrompt(turns, "prefix", kept, count, 0, features)
    order = Message("user", instruction(_conversation(asked) or kept))
    return CloudPrompt((*turns, order), "instruct", kept, count, estimate_prompt_tokens((order,)), features)


def most_instruction_tokens(model: CloudModel, messages: Sequence[Message]) -> int:
    """How many tokens to reserve for an instruction that a seam may add."""
    if model.continues != "instruct":
        return 0
    return estimate_prompt_tokens((Message("user", instruction(_conversation(messages))),))


def estimate_prompt_tokens(messages: Sequence[Message]) -> int:
    """Estimate the tokens of messages for a model with an unknown tokenizer. The estimate is rather too high."""
    return sum(_TOKENS_PER_MESSAGE + estimate_text_tokens(m.content) + _other_tokens(m) for m in messages)


def _other_tokens(message: Message) -> int:
    """The estimated tokens of pictures and tool calls."""
    calls = sum(_TOKENS_PER_MESSAGE + estimate_text_tokens(c.name + c.arguments) for c in message.tool_calls)
    return calls + _TOKENS_PER_IMAGE * sum(isinstance(p, Image) for p in message.parts)


def _feature_tokens(features: Features) -> int:
    told = [t.name + t.description + json.dumps(t.parameters) for t in features.tools]
    if features.schema:
        told.append(json.dumps(features.schema.schema))
    return sum(_TOKENS_PER_MESSAGE + estimate_text_tokens(t) for t in told)


def estimate_text_tokens(text: str) -> int:
    """Estimate the tokens of a text. A text that is not empty has at least one."""
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


def written_tokens(token: Token) -> int:
    """How many tokens a `Token` stands for: one, or an estimate if it holds a whole event of a cloud model."""
    if token.rank > 0 or token.id >= 0:
        return 1
    aside = token.aside
    if aside is None:
        return estimate_text_tokens(token.text)
    beside = aside.text if isinstance(aside, ReasoningPart) else aside.name + aside.arguments
    return estimate_text_tokens(token.text) + estimate_text_tokens(beside)


def generated_tokens(frame: Frame) -> int:
    """How many tokens of a frame have a price: those of the answer, those that are held, and those that are dropped."""
    if frame.end is None:
        return sum(map(written_tokens, frame.tokens))
    return sum(map(written_tokens, (*frame.tokens, *frame.end.held))) + frame.end.dropped_tokens


def answer_tokens(tokens: Iterable[Token]) -> int:
    """The tokens of an answer. Unknown numbers are estimated rather too low, so that no continued answer is cut short.

    One event of a cloud model may hold a letter or a page. So both events and bytes are counted, and the lower count is
    taken.
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
    """The user's last message. The answer is in the same language."""
    return next((m.content for m in reversed(messages) if m.role == "user"), "")
