"""API keys: who calls, and what the key allows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from ghostrouter.errors import NotPermitted, Unauthorized

Right = Literal["call", "feedback", "admin"]
RIGHTS: tuple[Right, ...] = ("call", "feedback", "admin")
Priority = Literal["high", "normal", "low"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a key. `models` and `tasks` may have wildcards. A limit that is None does not apply.

    `scopes`: what the key may be used for. `priority`: who is refused first when the service is overloaded.
    `explore` says that the caller's requests may be used to try models out.
    """

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
    scopes: tuple[Right, ...] = ("call", "feedback")
    priority: Priority = "normal"
    explore: bool = True

    def may_use(self, model: str) -> bool:
        """Whether the key allows a model."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    @property
    def is_admin(self) -> bool:
        """Whether the key is told what is about all callers."""
        return "admin" in self.scopes

    def check_task(self, task: str) -> None:
        """Check a task.

        Raises:
            NotPermitted: the key does not allow it.
        """
        if not any(fnmatchcase(task, pattern) for pattern in self.tasks):
            raise NotPermitted(f"This key may not be used for the task `{task}`.")

    def check_scope(self, *scopes: Right) -> None:
        """Check that the key has one of some scopes.

        Raises:
            NotPermitted: it has none of them.
        """
        if not set(scopes) & set(self.scopes):
            raise NotPermitted(f"This key does not have the scope `{scopes[0]}`.")


ANYONE = Caller()


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key that was created while the service ran. Times are Unix seconds; an expiry of None: never."""

    caller: Caller
    expires_s: float | None = None


class Door:
    """Checks keys by their SHA-256, in hexadecimal.

    `callers` are those of the configuration. `stored` keys change while the service runs. Everybody may call if the
    door is not `locked` and no key was ever made.
    """

    def __init__(self, callers: Mapping[str, Caller], locked: bool = False) -> None:
        self._callers = {digest.lower(): caller for digest, caller in callers.items()}
        self._stored: Mapping[str, StoredKey] = {}
        self._locked = locked

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return not self._callers and not self._locked

    def renew(self, stored: Mapping[str, StoredKey], ever_made: bool) -> None:
        """Use these stored keys from now on. Once a key was made, the door stays locked, also if all are revoked."""
        self._stored = stored
        self._locked = self._locked or ever_made

    def admit(self, key: str | None, now_s: float) -> Caller:
        """The owner of a key.

        Raises:
            Unauthorized: the key is missing, unknown or expired.
        """
        if self.is_open:
            return ANYONE
        if not key:
            raise Unauthorized("You didn't provide an API key. Send it as `Authorization: Bearer KEY`.")
        hashed = digest(key)
        if caller := self._callers.get(hashed):
            return caller
        stored = self._stored.get(hashed)
        if stored is None or (stored.expires_s is not None and stored.expires_s <= now_s):
            raise Unauthorized("Incorrect API key provided.")
        return stored.caller


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
