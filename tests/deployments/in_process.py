"""The ingress, its HTTP application and the replay deployment in one process, without Ray; engines play a script."""

import asyncio
import json
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.handles import Handle
from deployments.event_store import EventStore
from deployments.ingress import Deployments, Ingress
from deployments.replay import Replay
from deployments.store.bandit_keeper import bandit
from ghostrouter.config import GraphConfig
from ghostrouter.errors import SegmentFailed
from ghostrouter.types import EngineStatus, Frame, SegmentEnd, SegmentRequest
from tests.make import tokens
from tests.shipped import MODELS

LEASE_S = 0.3
PRICES = {"large": {"prompt_usd_per_mtok": 1.0, "completion_usd_per_mtok": 2.0}}
SOURCES = {"large": "ghost-large"}
ANSWER = "Xenia Farrow was born in Oldbridge – and there she stayed 🐢."


class Writer:
    """An engine that knows one answer. From the token `pause_at` on it waits until it may `go` on. One that is `broken`
    fails at the token `breaks_at`.

    Its end comes with its last token, or apart, as a cloud model's does. `paused` gets the session's id when it begins
    to wait: then all before is delivered. `seeds` are those of its answers.
    """

    def __init__(self) -> None:
        self.pause_at = len(ANSWER) + 1
        self.go = asyncio.Event()
        self.paused: asyncio.Queue[str] = asyncio.Queue()
        self.broken = False
        self.breaks_at = 0
        self.ends_apart = False
        self.frame_tokens = 2
        self.opened = self.closed = 0
        self.seeds: list[int] = []

    async def status(self) -> EngineStatus:
        return EngineStatus(self.opened - self.closed)

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        self.opened += 1
        self.seeds.append(request.sampling.seed)
        at, most = request.kept_tokens, request.sampling.max_tokens
        text = ANSWER[at : at + most]
        if not text and not self.ends_apart:  # whoever asks has been told that the answer is whole
            text = "# written on"
        end = SegmentEnd("length" if at + most <= len(ANSWER) else "stop")
        try:
            for start in range(0, len(text), self.frame_tokens):
                if at + start >= self.pause_at and not self.go.is_set():
                    self.paused.put_nowait(request.key.session)
                    await self.go.wait()
                if self.broken and at + start >= self.breaks_at:
                    raise SegmentFailed("broken")
                await asyncio.sleep(0)
                stop = start + self.frame_tokens
                last = stop >= len(text) and not self.ends_apart
                yield Frame(request.key, start, tokens(text[start:stop]), end if last else None, "r1")
            if self.ends_apart:
                yield Frame(request.key, len(text), (), end)
        finally:
            self.closed += 1


@dataclass
class Event:
    """A server-sent event."""

    id: str
    data: Any

    @property
    def number(self) -> int:
        return int(self.id.rpartition(":")[2])


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Event]:
        """All but `[DONE]`."""
        return list(self._events())

    def _events(self) -> Iterator[Event]:
        for block in self.body.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            if fields["data"] != "[DONE]":
                yield Event(fields.get("id", ""), json.loads(fields["data"]))


def _folder(owner: object) -> Path:
    """A folder that goes with its owner."""
    folder = tempfile.mkdtemp(prefix="ghostrouter-")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


class Service:
    """Make one inside a running event loop. One made `beside` another has an ingress of its own and no more.

    One made `after` another finds what that one has put into the event store, and nothing else. With `large` there is a
    second, stronger model, which costs money; `small` replaces the first one, which has a `name`.
    """

    def __init__(
        self,
        beside: "Service | None" = None,
        after: "Service | None" = None,
        small: Writer | None = None,
        name: str = "small",
        large: Writer | None = None,
        router: dict[str, Any] | None = None,
        **journal: Any,
    ) -> None:
        engines = {name: small or (beside.writer if beside else Writer())} | ({"large": large} if large else {})
        config = GraphConfig.parse(
            {
                "models": [
                    {"name": n, "source": str(MODELS / SOURCES.get(n, "ghost-small")), "price": PRICES.get(n, {})}
                    for n in engines
                ],
                "routes": {"default": {"models": list(engines)}},
                "router": router or {},
                "journal": {"patience_s": 60.0, "lease_s": 60.0, **journal},
                "sessions": {"max_body_bytes": 10_000},
            }
        )
        self.client, self.root = "127.0.0.1", ""
        self.writer: Writer = engines[name]
        self.replay: Replay = beside.replay if beside else Replay(config.journal)
        known = beside or after
        self.state: Path = known.state if known else _folder(self)
        self.events: EventStore = (
            beside.events
            if beside
            else EventStore(
                config.events.model_copy(update={"folder": str(self.state), "retry_s": 0.01}),
                100,
                secrets.token_hex(8),
                bandit(config, time.time()),
            )
        )
        nobody: Any = Handle(None)
        self.ingress = Ingress(
            config,
            Deployments({n: Handle(w) for n, w in engines.items()}, nobody, [Handle(self.replay)], Handle(self.events)),
        )
        self.app = self.ingress.http_app()

    def silence(self) -> None:
        """Let the leases of what is written here lapse, as those of a dead process do."""
        self.ingress._journal.add = lambda log: None  # type: ignore[method-assign]
        renewing = self.ingress._journal._renewing
        if renewing:
            renewing.cancel()

    async def die(self) -> None:
        """Stop all that is under way, as it stands."""
        tasks = list(self.ingress.jobs._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.ingress.events.settled()
        await self.events.close()

    async def post(
        self, path: str, body: Any = None, leave_after: int | None = None, into: Answer | None = None, **headers: str
    ) -> Answer:
        """Ask, and hang up after `leave_after` events. What comes can be watched in `into`."""
        return await self._ask("POST", path, json.dumps(body).encode(), leave_after, headers, into)

    async def get(self, path: str, **headers: str) -> Answer:
        """Look something up."""
        return await self._ask("GET", path, b"", None, headers)

    async def send(self, method: str, path: str, body: bytes, **headers: str) -> Answer:
        """Send these very bytes."""
        return await self._ask(method, path, body, None, headers)

    async def _ask(
        self,
        method: str,
        target: str,
        body: bytes,
        leave_after: int | None,
        headers: dict[str, str],
        into: Answer | None = None,
    ) -> Answer:
        path, _, query = f"{self.root}{target}".partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": self.root,
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
            "client": (self.client, 1),
            "server": ("127.0.0.1", 2),
        }
        answer, gone = into or Answer(), asyncio.Event()
        bodies = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if bodies:
                return bodies.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
                return
            answer.body += message["body"]
            if leave_after is not None and answer.body.count(b"\n\n") >= leave_after:
                gone.set()
                await asyncio.Event().wait()  # nothing is read any more

        await self.app(scope, receive, send)
        return answer
