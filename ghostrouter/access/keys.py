"""Who may call what."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ghostrouter.errors import NotPermitted, Unauthorized


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as far as a key says. `models` and `tasks` may have wildcards. A limit of None is none."""

    name: str = ""
    team: str = ""
    models: tuple[str, ...] = ("*",)
    tasks: tuple[str, ...] = ("*",)
    max_body_bytes: int | None = None
    requests_per_minute: int | None = None
    concurrent_requests: int | None = None
    may_unredact: bool = True
    project: str = ""
    organisation: str = ""

    def may_use(self, model: str) -> bool:
        """Whether the key is for this model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def check_task(self, task: str) -> None:
        """Raises NotPermitted where the key is not for this task."""
        if not any(fnmatchcase(task, pattern) for pattern in self.tasks):
            raise NotPermitted(f"This key may not be used for the task `{task}`.")


ANYONE = Caller()


class Door:
    """Knows keys by their SHA-256, in hexadecimal. Without any it is open to all."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = {digest.lower(): caller for digest, caller in callers.items()}

    @property
    def is_open(self) -> bool:
        """Whether no key is asked for."""
        return not self._callers

    def admit(self, key: str | None) -> Caller:
        """Whose key that is.

        Raises:
            Unauthorized: nobody's.
        """
        if self.is_open:
            return ANYONE
        if not key:
            raise Unauthorized("You didn't provide an API key. Send it as `Authorization: Bearer KEY`.")
        caller = self._callers.get(digest(key))
        if caller is None:
            raise Unauthorized("Incorrect API key provided.")
        return caller


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def presented(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries: as OpenAI's clients send it, or Anthropic's and Azure's."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key") or headers.get("api-key") or None


def only(caller: Caller, models: Sequence[str]) -> list[str]:
    """Those models that the key is for."""
    return [m for m in models if caller.may_use(m)]
