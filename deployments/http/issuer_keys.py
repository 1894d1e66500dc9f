"""The public keys of an issuer of tokens, fetched over HTTP and kept for a while."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx
import jwt

from deployments.cloud.connections import transport_to_others
from ghostrouter.config.access import Jwt
from ghostrouter.errors import StoreFailed, Unauthorized

log = logging.getLogger("ray.serve")

_KEEP_S = 600.0
# However many tokens name unknown keys, the issuer is asked no more often than this.
_RETRY_S = 10.0
_TIMEOUT_S = 5.0
_MOST_BYTES = 1_000_000


class IssuerKeys:
    """Keys by their ids. New ones are fetched when a token names a key that is not known."""

    def __init__(
        self, settings: Jwt, clock: Callable[[], float], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._transport = transport
        self._keys: dict[str | None, Any] = {}
        self._asked_s: float | None = None
        self._fetched_s = 0.0
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None) -> Any:
        """The public key with an id; without an id the only key that there is.

        Raises:
            Unauthorized: the issuer has no such key.
            StoreFailed: the issuer cannot be asked, and no keys are known.
        """
        async with self._lock:
            now_s = self._clock()
            wanted = key_id not in self._keys or now_s - self._fetched_s > _KEEP_S
            if wanted and (self._asked_s is None or now_s - self._asked_s >= _RETRY_S):
                self._asked_s = now_s
                await self._fetch(now_s)
        if key_id in self._keys:
            return self._keys[key_id]
        if not self._keys:
            raise StoreFailed("The issuer of tokens cannot be asked for its keys at the moment.")
        raise Unauthorized("The token was signed with an unknown key.")

    async def _fetch(self, now_s: float) -> None:
        """Fetch the keys. If that fails, the known ones stay."""
        try:
            async with httpx.AsyncClient(
                timeout=_TIMEOUT_S, follow_redirects=False, transport=self._transport or transport_to_others()
            ) as client:
                url = self._settings.jwks_url or await self._discovered(client)
                found = jwt.PyJWKSet.from_dict(await _json(client, url))
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("issuer.keys_not_read error=%s", type(error).__name__)
            return
        fit = [key for key in found.keys if key.algorithm_name in self._settings.algorithms]
        self._keys = {key.key_id: key.key for key in fit}
        if len(fit) == 1:
            self._keys[None] = fit[0].key
        self._fetched_s = now_s

    async def _discovered(self, client: httpx.AsyncClient) -> str:
        """The URL that the issuer's OpenID configuration names (OpenID Connect Discovery 1.0, section 4)."""
        found = await _json(client, self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        url = str(found["jwks_uri"])
        if found["issuer"] != self._settings.issuer or not url.startswith("https://"):
            raise ValueError("another issuer's configuration")
        return url


async def _json(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        raw = b""
        async for part in response.aiter_bytes():
            raw += part
            if len(raw) > _MOST_BYTES:
                raise ValueError("too long")
    found: dict[str, Any] = httpx.Response(200, content=raw).json()
    return found
