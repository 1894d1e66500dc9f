"""What each model would be asked first, and how long that is in its tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

from ghostrouter.config import CloudModel
from ghostrouter.conversation import NO_FEATURES, Features, Message
from ghostrouter.errors import SeamRefused
from ghostrouter.replay.continuation import cloud_prompt, most_instruction_tokens
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.types import Prompt


@dataclass(frozen=True, slots=True)
class FirstPrompt:
    """A model's prompt. `tokens` is estimated for a cloud model, `reserved_tokens` are for what a seam may add."""

    prompt: Prompt
    tokens: int
    reserved_tokens: int = 0


def first_prompts(
    messages: tuple[Message, ...],
    continue_final: bool,
    tokenizers: Mapping[str, ChatTokenizer],
    cloud: Mapping[str, CloudModel],
    features: Features = NO_FEATURES,
) -> dict[str, FirstPrompt]:
    """By model name; models that cannot go on with the client's own beginning are left out.

    Local models that would read the conversation alike share one prompt.

    Raises:
        InvalidRequest: a chat template refuses the conversation.
    """
    distinct = {t.chat_fingerprint: t for t in tokenizers.values()}
    encoded = {key: t.encode_chat(messages, continue_final) for key, t in distinct.items()}
    found = {
        n: FirstPrompt(encoded[t.chat_fingerprint], len(encoded[t.chat_fingerprint])) for n, t in tokenizers.items()
    }
    for name, model in cloud.items():
        try:
            prompt = cloud_prompt(model, messages, continue_final, "", features)
        except SeamRefused:
            continue
        reserved = 0 if prompt.instruction_tokens else most_instruction_tokens(model, messages)
        found[name] = FirstPrompt(prompt, prompt.prompt_tokens + prompt.instruction_tokens, reserved)
    return found
