"""The session store in a Valkey or Redis server. Sessions there outlive all processes of GhostRouter."""

import time
from collections.abc import Sequence
from typing import Any, cast

from valkey.asyncio import Valkey

from deployments.store import valkey_scripts
from ghostrouter.errors import SessionExpired, SessionNotFound
from ghostrouter.sessions.entries import Answer, Entry, Epoch, Outcome
from ghostrouter.sessions.record import Kept, Refusal

_CONNECT_TIMEOUT_S = 2.0
# For this time after `keep_s` the server still knows that it had the session.
_REMEMBERED_S = 86_400.0
_DIGITS = 10


class ValkeyStore:
    """A `SessionStore`. Each session is kept for `keep_s` after it was last written."""

    def __init__(self, url: str, keep_s: float, lease_s: float) -> None:
        self._client: Any = Valkey.from_url(url, socket_connect_timeout=_CONNECT_TIMEOUT_S)
        self._write, self._read, self._claim, self._cancel = (
            self._client.register_script(script)
            for script in (
                valkey_scripts.WRITE,
                valkey_scripts.READ,
                valkey_scripts.CLAIM,
                valkey_scripts.CANCEL,
            )
        )
        self._lease_ms, self._keep_ms = _ms(lease_s), max(1, _ms(keep_s))
        self._times = (self._lease_ms, self._keep_ms, self._keep_ms + _ms(_REMEMBERED_S))

    async def write(self, entries: Sequence[Entry]) -> list[Answer]:
        """Write entries."""
        keys = [_key(entry.session) for entry in entries]
        fields: list[Any] = list(self._times)
        for entry in entries:
            fields += (_epoch_name(entry.epoch), entry.kind, entry.number, entry.payload, entry.owner, entry.outcome)
        answers = await self._write(keys=keys, args=fields)
        return [cast(Answer, answer.decode()) for answer in answers]

    async def read(self, session: str, owner: str) -> Kept | Refusal:
        """Read a session from its opening on."""
        return _kept(session, await self._read(keys=[_key(session)], args=[owner, -1]))

    async def follow(self, session: str, owner: str, after: int, wait_s: float) -> Kept | Refusal:
        """Read a session without its first `after` growths, as soon as there is more."""
        until_s = time.monotonic() + wait_s
        while True:
            found = await self._read(keys=[_key(session)], args=[owner, after])
            kept = _kept(session, found)
            left_s = until_s - time.monotonic()
            if not isinstance(kept, Kept) or kept.growths or kept.over or kept.may_be_claimed or left_s <= 0:
                return kept
            last_id = found[valkey_scripts.FIELDS.index("last_id")]
            block_ms = max(1, _ms(min(left_s, kept.lease_left_s)))
            await self._client.xread({f"{_key(session)}:growths": last_id}, block=block_ms)

    async def claim(self, session: str, owner: str, writer: str) -> Kept | Refusal:
        """Read a session. The reader becomes its writer if it has none."""
        args = [owner, writer, self._lease_ms, self._keep_ms]
        return _kept(session, await self._claim(keys=[_key(session)], args=args))

    async def cancel(self, session: str, owner: str) -> Kept | Refusal:
        """Stop the writer of a session."""
        return _kept(session, await self._cancel(keys=[_key(session)], args=[owner]))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _key(session: str) -> str:
    """A key of a session. Its hash tag (the braces) puts all keys of a session on one server of a cluster."""
    return f"ghost:{{{session}}}"


def _epoch_name(epoch: Epoch) -> str:
    """The name of an epoch. Names sort as their epochs do."""
    return f"{epoch.number:0{_DIGITS}d}-{epoch.writer}"


def _kept(session: str, found: Any) -> Kept | Refusal:
    if found == b"expired":
        return SessionExpired(f"`{session}` is not kept any more: ask again.")
    if found == b"missing":
        return SessionNotFound(f"There is no `{session}`.")
    told = dict(zip(valkey_scripts.FIELDS, found, strict=False))
    number, _, writer = told["epoch"].decode().partition("-")
    return Kept(
        Epoch(int(number), writer),
        found[-1],
        told["opening"],
        told["ending"],
        cast(Outcome, told["outcome"].decode()),
        told["lease_left_ms"] / 1000,
        told["silent_ms"] / 1000,
        told["claimed"] == b"1",
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
