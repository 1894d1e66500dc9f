"""The clients of `make bench NAME=soak`: each does one thing after another that clients do, well or badly."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx

from models import questions

CHAT = "/v1/chat/completions"
PATIENCE_S = 300.0
FAULTS = ("cut", "stall", "malformed", "error_event", "no_finish", "early_done", "status_503", "short")
_HUGE = "7 " * 3500
# An error that a client is told in so many words: the service knows what became of the session.
_CLEAR = range(400, 600)


class Lost(Exception):
    """A session whose client was told neither its end nor an error. The text says which kind."""


@dataclass(slots=True)
class Account:
    """What became of the sessions: by kind and end, their ids, and the times to the first token in seconds.

    `ids` are those of sessions that the event store has to know.
    """

    ends: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)

    @property
    def sessions(self) -> int:
        return self.ends.total()


class Clients:
    """Clients of one service. `seed` decides what they do."""

    def __init__(self, url: str, seed: int) -> None:
        self.account = Account()
        self._rng = random.Random(seed)
        self._asked = questions.sample("test", seed, 500)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits)
        self._kinds: dict[str, tuple[int, Callable[[], Awaitable[str]]]] = {
            "stream": (30, self._stream),
            "whole": (15, self._whole),
            "tiny": (15, self._tiny),
            "huge": (3, self._huge),
            "leaves": (15, self._leaves),
            "leaves_early": (5, self._leaves_early),
            "slow": (3, self._slow),
            "cancels_job": (5, self._cancels_job),
            "cancels_response": (5, self._cancels_response),
            "provider": (10, self._provider),
        }

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, count: int, until_s: float) -> None:
        """`count` clients at a time, until a moment of `time.monotonic`. Returns when the last answer has ended."""
        await asyncio.gather(*(self._one(until_s) for _ in range(count)))

    async def _one(self, until_s: float) -> None:
        names = list(self._kinds)
        weights = [weight for weight, _ in self._kinds.values()]
        while time.monotonic() < until_s:
            name = self._rng.choices(names, weights)[0]
            try:
                async with asyncio.timeout(PATIENCE_S):
                    end = await self._kinds[name][1]()
            except (Lost, httpx.HTTPError, TimeoutError) as error:
                end = "lost"
                self.account.lost.append(f"{name}: {type(error).__name__} {error}")
            self.account.ends[f"{name}: {end}"] += 1

    def _body(self, **changes: Any) -> dict[str, Any]:
        asked = self._rng.choice(self._asked).prompt
        return {"model": "ghost/auto", "messages": [{"role": "user", "content": asked}], "stream": True, **changes}

    async def _events(self, body: dict[str, Any], pause_s: float = 0.0) -> AsyncGenerator[dict[str, Any], None]:
        """The events of an answer; an error, also an HTTP status, as `{"error": ...}`."""
        began_s, is_first = time.monotonic(), True
        async with self._http.stream("POST", CHAT, json=body) as response:
            if response.status_code != httpx.codes.OK:
                yield {"error": _error(response.status_code, await response.aread())}
                return
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    event = json.loads(line.removeprefix("data: "))
                    if "id" in event:
                        self.account.ids.add(event["id"])
                    if is_first and any(c["delta"].get("content") for c in event.get("choices", ())):
                        self.account.first_token_s.append(time.monotonic() - began_s)
                        is_first = False
                    yield event
                    if pause_s:
                        await asyncio.sleep(pause_s)
        return

    async def _read(self, body: dict[str, Any], may_fail: bool = False, pause_s: float = 0.0) -> str:
        """Read an answer to its end. A local one must not fail: there is another model."""
        finished = ""
        async with aclosing(self._events(body, pause_s)) as events:
            async for event in events:
                if "error" in event:
                    if may_fail:
                        return "error"
                    raise Lost(json.dumps(event["error"]))
                finished = next((c["finish_reason"] for c in event["choices"] if c["finish_reason"]), finished)
        if not finished:
            raise Lost("the stream ended before the answer")
        return "answered"

    async def _stream(self) -> str:
        return await self._read(self._body())

    async def _whole(self) -> str:
        response = await self._http.post(CHAT, json=self._body(stream=False))
        if response.status_code != httpx.codes.OK:
            raise Lost(response.text[:200])
        self.account.ids.add(response.json()["id"])
        return "answered"

    async def _tiny(self) -> str:
        return await self._read(self._body(messages=[{"role": "user", "content": "?"}], max_tokens=1))

    async def _huge(self) -> str:
        return await self._read(self._body(messages=[{"role": "user", "content": _HUGE}], max_tokens=4))

    async def _slow(self) -> str:
        return await self._read(self._body(max_tokens=60), pause_s=0.2)

    async def _leaves(self) -> str:
        after = self._rng.randrange(1, 20)
        async with aclosing(self._events(self._body(min_tokens=300, max_tokens=300))) as events:
            async for _ in events:
                after -= 1
                if not after:
                    return "left"
        return "answered"

    async def _leaves_early(self) -> str:
        """Leave before the first token, so that the client knows no id."""
        asking = asyncio.create_task(self._http.post(CHAT, json=self._body(stream=False)))
        await asyncio.wait([asking], timeout=self._rng.random() * 0.05)
        asking.cancel()
        await asyncio.wait([asking])
        return "left"

    async def _cancels_job(self) -> str:
        call = {
            "caller": {"handle": "soak", "account_id": "12345678"},
            "intent": {"class": "lookup"},
            "target": {"type": "model", "alias": "ghost-small"},
            "prompt": _HUGE,
            "options": {"timeouts": {"soft_ms": 1000}},
        }
        called = await self._http.post("/call", json=call)
        if "job_id" not in called.json():
            raise Lost(called.text[:200])
        if not (job := called.json()["job_id"]):
            return str(called.json()["status"])
        cancelled = await self._http.post(f"/jobs/{job}/cancel")
        return await self._settled(f"/result/{job}", cancelled)

    async def _cancels_response(self) -> str:
        asked = {"model": "ghost/auto", "input": self._rng.choice(self._asked).prompt, "background": True}
        made = (await self._http.post("/v1/responses", json=asked)).json()["id"]
        self.account.ids.add(made)
        await asyncio.sleep(self._rng.random() * 0.2)
        cancelled = await self._http.post(f"/v1/responses/{made}/cancel")
        return await self._settled(f"/v1/responses/{made}", cancelled)

    async def _settled(self, path: str, cancelled: httpx.Response) -> str:
        """How something that was cancelled, or had ended before, did end."""
        if cancelled.status_code not in (200, *_CLEAR):
            raise Lost(cancelled.text[:200])
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            status = str((await self._http.get(path)).json().get("status"))
            if status not in ("queued", "running", "in_progress"):
                return status
            await asyncio.sleep(0.1)
        raise Lost(f"{path} does not end")

    async def _provider(self) -> str:
        return await self._read(self._body(model=f"cloud-{self._rng.choice(FAULTS)}"), may_fail=True)


def _error(status: int, body: bytes) -> dict[str, Any]:
    """The error of an answer.

    Raises:
        Lost: it is not one that the service has put into words.
    """
    try:
        found: dict[str, Any] = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        raise Lost(f"HTTP {status}: {body[:200]!r}") from None
    return {"status": status, **found}
