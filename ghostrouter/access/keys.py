"""API keys: who calls, and which models and tasks the key allows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ghostrouter.errors import NotPermitted, Unauthorized


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a key. `models` and `tasks` may have wildcards. A limit that is None does not apply."""

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
        """Whether the key allows a model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def check_task(self, task: str) -> None:
        """Check a task.

        Raises:
            NotPermitted: the key does not allow it.
        """
        if not any(fnmatchcase(task, pattern) for pattern in self.tasks):
            raise NotPermitted(f"This key may not be used for the task `{task}`.")


ANYONE = Caller()


class Door:
    """Checks keys by their SHA-256, in hexadecimal. Without any keys, everybody may call."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = {digest.lower(): caller for digest, caller in callers.items()}

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return not self._callers

    def admit(self, key: str | None) -> Caller:
        """The owner of a key.

        Raises:
            Unauthorized: the key is missing or unknown.
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
    """The SHA-256 of a key, in hexadecimal. Only this is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def presented(headers: Mapping[str, str]) -> str | None:
    """The key of a request, from the headers that clients of OpenAI, Anthropic or Azure send."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key") or headers.get("api-key") or None


def only(caller: Caller, models: Sequence[str]) -> list[str]:
    """The models that the key allows."""
    return [m for m in models if caller.may_use(m)]
