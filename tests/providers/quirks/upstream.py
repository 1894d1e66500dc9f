"""A provider on this machine that sends exactly the bytes it is told to, cut where it is told to cut them."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Transcript:
    """What is sent for one request: a status, headers, and a body in pieces.

    A `broken` one stops in mid-body, an `endless` one goes silent there.
    """

    pieces: tuple[bytes, ...]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    broken: bool = False
    endless: bool = False


class Upstream:
    """Answers with `transcripts`, one a request, the last of them again and again. Requests are kept in `asked`.

    `open` is how many requests are being answered.
    """

    def __init__(self) -> None:
        self.transcripts: list[Transcript] = []
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.port = self.open = 0

    async def start(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        """Give the port back."""
        self._server.close()
        await self._server.wait_closed()

    def plays(self, *transcripts: Transcript) -> None:
        """From now on it answers with these."""
        self.transcripts, self.asked, self.paths = list(transcripts), [], []

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(x.split(":")[1]) for x in head.split("\r\n") if x.lower().startswith("content-length"))
            self.asked.append(json.loads(await reader.readexactly(length)))
            self.paths.append(head.split(" ")[1])
            now = self.transcripts.pop(0) if len(self.transcripts) > 1 else self.transcripts[0]
            fields = {**now.headers, "connection": "close", "transfer-encoding": "chunked"}
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write(f"HTTP/1.1 {now.status} Whatever\r\n{lines}\r\n".encode())
            for piece in filter(None, now.pieces):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(0)
            if now.endless:
                await reader.read()  # until whoever asked leaves
            writer.write(b"" if now.broken else b"0\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has left
        finally:
            self.open -= 1
            writer.close()
