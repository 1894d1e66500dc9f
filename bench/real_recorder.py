"""Ask two models over HTTP, and keep what they answer. What is known already is not asked again."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.real_store import Asking, Recorded, Store, to_recorded

_TOP = 20
_TIMEOUT_S = 3600.0
_TRIES = 5
_REPORT_S = 60.0


@dataclass(slots=True)
class Progress:
    """How many answers of a batch are there, and how long the rest will take. Reported on stderr once a minute."""

    what: str
    wanted: int
    done: int = 0
    tokens: int = 0
    _began_s: float = field(default_factory=time.perf_counter)
    _reported_s: float = field(default_factory=time.perf_counter)

    def add(self, recorded: Recorded) -> None:
        self.done += 1
        self.tokens += len(recorded.tokens)
        now_s = time.perf_counter()
        if now_s - self._reported_s >= _REPORT_S or self.done == self.wanted:
            self._reported_s = now_s
            took_s = now_s - self._began_s
            left_s = took_s / self.done * (self.wanted - self.done)
            speed = f"{self.tokens / took_s:.1f} tokens/s, {left_s / 60:.0f} min left"
            print(f"  {self.what}: {self.done} of {self.wanted}, {speed}", file=sys.stderr, flush=True)


class Recorder:
    """Asks the models of `urls` (model -> base URL), at most `concurrency` questions of one model at a time."""

    def __init__(self, store: Store, urls: Mapping[str, str], concurrency: int) -> None:
        self._store = store
        self._clients = {model: httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S) for model, url in urls.items()}
        self._slots = {model: asyncio.Semaphore(concurrency) for model in urls}

    async def __aenter__(self) -> "Recorder":
        return self

    async def __aexit__(self, *error: object) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def all(self, what: str, askings: Sequence[Asking]) -> list[Recorded]:
        """The answers to all askings, in order."""
        missing = list(dict.fromkeys(a for a in askings if self._store.get(a) is None))
        progress = Progress(what, len(missing))

        async def ask(asking: Asking) -> None:
            progress.add(await self._ask(asking))

        await asyncio.gather(*map(ask, missing))
        found = [self._store.get(a) for a in askings]
        return [f for f in found if f is not None]

    async def one(self, asking: Asking) -> Recorded:
        """One answer. Its progress is not reported."""
        known = self._store.get(asking)
        return known or await self._ask(asking)

    async def _ask(self, asking: Asking) -> Recorded:
        messages = [{"role": "user", "content": asking.prompt}]
        body: dict[str, Any] = {
            "model": asking.model,
            "messages": messages,
            "max_tokens": asking.max_tokens,
            "temperature": asking.temperature,
            "logprobs": True,
            "top_logprobs": _TOP if asking.signals else 0,
        }
        if asking.temperature:
            body["seed"] = asking.seed
        if asking.kept:
            messages.append({"role": "assistant", "content": asking.kept})
            body["continue_final_message"] = True
        async with self._slots[asking.model]:
            began_s = time.perf_counter()
            response = await self._posted(asking.model, body)
            recorded = to_recorded(asking, response, time.perf_counter() - began_s)
        self._store.add(recorded)
        return recorded

    async def _posted(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        """The response; a server that is busy or just starting is asked again.

        Raises:
            RuntimeError: the server refuses the request.
            httpx.HTTPError: the server does not answer.
        """
        for attempt in range(_TRIES):
            response = await self._clients[model].post("/v1/chat/completions", json=body)
            if response.status_code == httpx.codes.OK:
                found: dict[str, Any] = response.json()
                return found
            if response.status_code < 500 and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(2**attempt)
        raise RuntimeError(f"{model}: HTTP {response.status_code}: {response.text[:300]}")
