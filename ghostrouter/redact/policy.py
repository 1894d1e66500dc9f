"""What is redacted of a call: by the configuration, by the trust in a model, and by what the caller asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ghostrouter.access.keys import Caller
from ghostrouter.errors import CallNotPermitted, InvalidRequest, NotPermitted
from ghostrouter.terms import Trust

Mode = Literal["off", "auto", "strict"]
MODES: tuple[Mode, ...] = ("off", "auto", "strict")  # from the least to the most redaction

# The accepted acknowledgements for less redaction, as in the call API.
ACKNOWLEDGEMENTS = frozenset({"INCLUDE_SENSITIVE_DATA", "NO_REDACTION_ACKNOWLEDGED", "I_UNDERSTAND_AND_ACCEPT_RISK"})


@dataclass(frozen=True, slots=True)
class Discretion:
    """How a call is redacted.

    `acknowledged` says who has taken the risk that less is redacted than configured. `addresses` says that postal
    addresses are private, too.
    """

    mode: Mode = "auto"
    acknowledged: str = ""
    addresses: bool = False

    def covers(self, trust: Trust) -> bool:
        """Whether prompts for a model of the cloud are redacted."""
        return self.mode == "strict" or (self.mode == "auto" and trust != "trusted")

    @property
    def covers_answers(self) -> bool:
        """Whether answers to the client are redacted."""
        return self.mode == "strict"


@dataclass(frozen=True, slots=True)
class Behalf:
    """On whose behalf a session runs: whose budgets it uses, and how it is redacted."""

    key: str = ""
    team: str = ""
    discretion: Discretion = Discretion(mode="off")
    project: str = ""
    organisation: str = ""


NOBODY = Behalf()


def overridden(usual: Discretion, caller: Caller, handle: str, words: Iterable[str], reason: str | None) -> Discretion:
    """The redaction of a call that asks for none. `words` are its acknowledgements; `handle` says whose call it is.

    Raises:
        CallNotPermitted: the key may not decide that.
    """
    if usual.mode == "off":
        return usual
    if not caller.may_unredact:
        raise CallNotPermitted("This key may not have less redacted than configured.")
    why = f" ({reason})" if reason else ""
    return replace(usual, mode="off", acknowledged=f"{caller.name or handle}: {', '.join(sorted(words))}{why}")


def asked(headers: Mapping[str, str], configured: Discretion, caller: Caller) -> Discretion:
    """What the headers ask for: `x-ghost-redaction`. A weaker mode than the configured one needs `x-ghost-acknowledge`.

    Raises:
        InvalidRequest: there is no such mode.
        NotPermitted: the risk is not acknowledged, or the key may not take it.
    """
    wanted = headers.get("x-ghost-redaction", configured.mode).strip().lower()
    if wanted not in MODES:
        raise InvalidRequest("`x-ghost-redaction` is one of: off, auto, strict.")
    mode = wanted
    if MODES.index(mode) >= MODES.index(configured.mode):
        return replace(configured, mode=mode)
    words = {word.strip() for word in headers.get("x-ghost-acknowledge", "").split(",")} & ACKNOWLEDGEMENTS
    if not words:
        known = ", ".join(sorted(ACKNOWLEDGEMENTS))
        raise NotPermitted(f"To redact less than configured send `x-ghost-acknowledge` with one of: {known}.")
    if not caller.may_unredact:
        raise NotPermitted("This key may not have less redacted than configured.")
    return replace(configured, mode=mode, acknowledged=f"{caller.name or 'anyone'}: {', '.join(sorted(words))}")
