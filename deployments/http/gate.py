"""Who sends a request: by a key of the configuration, by a stored key, or by a token.

An ingress looks every `access.refresh_s` whether keys were created or revoked.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.types import Scope

from deployments.http.issuer_keys import IssuerKeys
from ghostrouter.access import jwt_tokens
from ghostrouter.access.hosts import is_loopback
from ghostrouter.access.jwt_tokens import TokenRules
from ghostrouter.access.key_store import KeyRow, KeyStore
from ghostrouter.access.keys import ANYONE, Caller, Door, Right, StoredKey, digest, presented
from ghostrouter.config.access import Access, Rights
from ghostrouter.errors import StoreFailed

log = logging.getLogger("ray.serve")

# Set by proxies: then the address of the client is not that of the connection.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_LOCAL_SCOPES: tuple[Right, ...] = ("call", "feedback", "admin")


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in. `owner` owns what the request makes; it tells nothing of the key."""

    caller: Caller
    owner: str


class Gate:
    """Finds out who sends a request."""

    def __init__(
        self, access: Access, issuer_keys: IssuerKeys | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._access = access
        self._door = Door(access.callers(), access.is_locked)
        self._store = KeyStore(access.database)
        self._rules = _rules(access)
        self._issuer_keys = issuer_keys or (IssuerKeys(access.jwt, clock) if access.jwt else None)
        self._clock = clock
        self._version: str | None = None  # None: not read yet
        self._reading: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return self._door.is_open

    async def ready(self) -> None:
        """Wait until the stored keys were read once.

        Raises:
            StoreFailed: they cannot be read. Then nobody is let in.
        """
        if self._version is not None:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self.refresh())
        await asyncio.shield(self._reading)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    async def admit(self, headers: Mapping[str, str], scope: Scope) -> Admitted:
        """The sender of a request.

        Raises:
            Unauthorized: key or token is missing, unknown or expired.
            StoreFailed: the stored keys could never be read.
        """
        await self.ready()
        key = presented(headers)
        if self._rules and self._issuer_keys and key and jwt_tokens.is_token(key):
            public = await self._issuer_keys.key(jwt_tokens.key_id(key))
            bearer = jwt_tokens.read(key, public, self._rules, self._clock())
            return Admitted(bearer.caller, digest(bearer.owner))
        caller = self._door.admit(key, self._clock())
        if caller is ANYONE and _is_from_here(headers, scope):
            caller = _ANYONE_HERE
        return Admitted(caller, digest(key or ""))

    async def refresh(self) -> None:
        """Read the stored keys if they have changed.

        Raises:
            StoreFailed: the database cannot be used.
        """
        version = await asyncio.to_thread(self._store.version)
        if version == self._version:
            return
        rows = await asyncio.to_thread(self._store.rows)
        valid = {row.sha256: self._stored(row) for row in rows if row.revoked_s is None}
        self._door.renew(valid, ever_made=bool(rows))
        self._version = version

    async def close(self) -> None:
        """End the tasks, close the connections."""
        for task in (self._reading, self._following):
            if task:
                task.cancel()
        await asyncio.to_thread(self._store.close)

    def _stored(self, row: KeyRow) -> StoredKey:
        return StoredKey(self._access.caller(row.name, Rights.model_validate(row.rights)), row.expires_s)

    async def _follow(self) -> None:
        is_down = False
        while True:
            await asyncio.sleep(self._access.refresh_s)
            try:
                await self.refresh()
                is_down = False
            except StoreFailed as error:  # the keys of the last time stay valid
                if not is_down:
                    log.warning("keys.not_read error=%s", error)
                is_down = True


_ANYONE_HERE = Caller(scopes=_LOCAL_SCOPES)


def _is_from_here(headers: Mapping[str, str], scope: Scope) -> bool:
    """Whether a request comes from this machine, and from no proxy on it."""
    address, _ = scope.get("client") or ("", 0)
    return is_loopback(address) and not any(name in headers for name in _FORWARDED)


def _rules(access: Access) -> TokenRules | None:
    found = access.jwt
    if found is None:
        return None
    return TokenRules(
        found.issuer,
        found.audience,
        found.algorithms,
        found.name_claim,
        found.scopes_claim,
        found.team_claim,
        found.leeway_s,
        access.caller("jwt", found.rights),
    )
