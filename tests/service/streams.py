"""Server-sent events of the service, as a client that may come back reads them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(slots=True)
class Reader:
    """Reads one answer over any number of connections. `last_id` is that of the newest event that had one."""

    text: str = ""
    last_id: str = ""
    finish: str | None = None
    done: bool = False
    ghost: dict[str, Any] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def read(self, response: httpx.Response) -> Iterator[str]:
        """Take in events; yields the text of each."""
        event_id = ""
        for line in response.iter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            if not line.startswith("data: "):
                continue
            if line == "data: [DONE]":
                self.done = True
                continue
            event = json.loads(line.removeprefix("data: "))
            if "error" in event:
                self.errors.append(event["error"])
                continue
            self.last_id, event_id = event_id or self.last_id, ""
            self.ghost = event.get("ghost", self.ghost)
            fresh = ""
            for choice in event["choices"]:
                fresh += choice["delta"].get("content") or ""
                self.finish = choice["finish_reason"] or self.finish
            self.text += fresh
            yield fresh
