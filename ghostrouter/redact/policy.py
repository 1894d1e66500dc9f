"""What is redacted of a call: by the configuration, by its trust in a model, and by what the caller asks for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ghostrouter.access.keys import Caller
from ghostrouter.conversation import Message
from ghostrouter.errors import CallNotPermitted, InvalidRequest, NotPermitted
from ghostrouter.redact.modes import MODES, Mode
from ghostrouter.redact.stream import Redactor
from ghostrouter.redact.vault import Vault
from ghostrouter.terms import Trust
from ghostrouter.types import CloudPrompt

# What has to be said to switch it off, as in the call API.
ACKNOWLEDGEMENTS = frozenset({"INCLUDE_SENSITIVE_DATA", "NO_REDACTION_ACKNOWLEDGED", "I_UNDERSTAND_AND_ACCEPT_RISK"})


@dataclass(frozen=True, slots=True)
class Discretion:
    """How a call is redacted. `acknowledged` says who has taken the risk that less is done than configured."""

    mode: Mode = "auto"
    acknowledged: str = ""

    def covers(self, trust: Trust) -> bool:
        """Whether what goes to a model of the cloud is redacted."""
        return self.mode == "strict" or (self.mode == "auto" and trust != "trusted")

    @property
    def covers_answers(self) -> bool:
        """Whether what goes to the client is."""
        return self.mode == "strict"


@dataclass(frozen=True, slots=True)
class Behalf:
    """On whose behalf a session runs, as far as money and redaction go."""

    key: str = ""
    team: str = ""
    discretion: Discretion = Discretion(mode="off")
    project: str = ""
    organisation: str = ""


NOBODY = Behalf()


def overridden(usual: Discretion, caller: Caller, handle: str, said: Iterable[str], reason: str | None) -> Discretion:
    """Nothing is redacted, on the responsibility of who calls: `said` are the acknowledgements.

    Raises:
        CallNotPermitted: that is not this key's to decide.
    """
    if usual.mode == "off":
        return usual
    if not caller.may_unredact:
        raise CallNotPermitted("This key may not have less redacted than configured.")
    why = f" ({reason})" if reason else ""
    return Discretion("off", f"{caller.name or handle}: {', '.join(sorted(said))}{why}")


def asked(headers: Mapping[str, str], configured: Mode, caller: Caller) -> Discretion:
    """From `x-ghost-redaction` (off, auto, strict) and `x-ghost-acknowledge`, which less than configured needs.

    Raises:
        InvalidRequest: there is no such mode.
        NotPermitted: the risk is not acknowledged, or is not this key's to take.
    """
    wanted = headers.get("x-ghost-redaction", configured).strip().lower()
    if wanted not in MODES:
        raise InvalidRequest("`x-ghost-redaction` is one of: off, auto, strict.")
    mode = wanted
    if MODES.index(mode) >= MODES.index(configured):
        return Discretion(mode)
    said = {word.strip() for word in headers.get("x-ghost-acknowledge", "").split(",")} & ACKNOWLEDGEMENTS
    if not said:
        words = ", ".join(sorted(ACKNOWLEDGEMENTS))
        raise NotPermitted(f"To redact less than configured send `x-ghost-acknowledge` with one of: {words}.")
    if not caller.may_unredact:
        raise NotPermitted("This key may not have less redacted than configured.")
    return Discretion(mode, f"{caller.name or 'anyone'}: {', '.join(sorted(said))}")


def redact_prompt(prompt: CloudPrompt, vault: Vault) -> CloudPrompt:
    """A prompt without what is private: messages, arguments and results of tools, what is kept of the answer."""

    def clean(text: str) -> str:
        redactor = Redactor(vault)
        return redactor.feed(text) + redactor.close()

    return replace(prompt, messages=tuple(_message(m, clean) for m in prompt.messages), kept=clean(prompt.kept))


def _message(message: Message, clean: Callable[[str], str]) -> Message:
    return replace(
        message,
        content=clean(message.content),
        parts=tuple(clean(p) if isinstance(p, str) else p for p in message.parts),
        tool_calls=tuple(replace(c, arguments=clean(c.arguments)) for c in message.tool_calls),
    )
