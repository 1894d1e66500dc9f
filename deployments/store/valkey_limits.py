"""The limits of keys in a Valkey or Redis server, so that any number of processes count together.

The rules are those of `ghostrouter/access/limits.py`; one test suite checks both. Each key has a hash with its token
bucket, and a sorted set of its running calls by the end of their leases. The server's clock counts.
"""

from typing import Any, Literal, cast

from valkey.asyncio import Valkey

from ghostrouter.access.limits import Admission

# A server that hangs is waited for this long; see `Quotas`.
_TIMEOUT_S = 1.0

_ENTER = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local call, limit, at_once, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if at_once > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= at_once then return {'concurrency', 0, 0, 1000} end
end
local left, reset = 0, 0
if limit > 0 then
  local per_ms = limit / 60000
  local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
  local level = math.min(limit, (kept[1] or limit) + math.max(0, now - (kept[2] or now)) * per_ms)
  if level < 1 - 1e-9 then
    return {'rate', 0, math.ceil((limit - level) / per_ms), math.ceil((1 - level) / per_ms)}
  end
  level = level - 1
  left, reset = math.floor(level + 1e-9), math.ceil((limit - level) / per_ms)
  redis.call('HSET', KEYS[1], 'level', string.format('%.17g', level), 'at', string.format('%.17g', now))
  redis.call('PEXPIRE', KEYS[1], reset + 1000)
end
if at_once > 0 then
  redis.call('ZADD', KEYS[2], now + lease, call)
  redis.call('PEXPIRE', KEYS[2], lease)
end
return {'', left, reset, 0}
"""


class ValkeyLimits:
    """The limits of all keys. A call that never ends stops counting after its lease."""

    def __init__(self, url: str, lease_s: float) -> None:
        self._client: Any = Valkey.from_url(url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S)
        self._enter = self._client.register_script(_ENTER)
        self._lease_ms = max(1, round(1000 * lease_s))

    async def enter(self, key: str, call: str, per_minute: int | None, at_once: int | None) -> Admission:
        """Ask for a call of a key. With `at_once`, an admitted call counts as running until `leave`.

        Raises:
            ValkeyError, OSError: the server does not answer.
        """
        told = await self._enter(keys=_keys(key), args=[call, per_minute or 0, at_once or 0, self._lease_ms])
        refused = cast(Literal["", "rate", "concurrency"], told[0].decode())
        return Admission(refused, per_minute, told[1], told[2] / 1000, told[3] / 1000)

    async def leave(self, key: str, call: str) -> None:
        """Count the end of a call. Raises as `enter` does."""
        await self._client.zrem(_keys(key)[1], call)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _keys(key: str) -> list[str]:
    """The names of a key's bucket and of its running calls; both are on one server of a cluster."""
    return [f"ghost:limits:{{{key}}}:{kind}" for kind in ("rate", "running")]
