"""The first prompt of a session for each model, and its length in tokens."""

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
    """The prompt for one model. `tokens` is an estimate for cloud models. A seam may add up to `reserved_tokens`."""

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
    """The first prompts by model name. Models that cannot continue the client's last message are left out.

    Local models with the same tokenizer and chat template share one prompt.

    Raises:
        InvalidRequest: a chat template does not accept the conversation.
    """
    distinct = {t.chat_fingerprint: t for t in tokenizers.values()}
    encoded = {key: t.encode_chat(messages, continue_final, features) for key, t in distinct.items()}
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
