"""What the provider behind the service says to the clients, in each protocol."""

import json
import time
from typing import Any

import pytest

from tests.providers.quirks.loopback import Loopback
from tests.providers.quirks.table import rows
from tests.providers.quirks.upstream import Transcript

TEXT = {r.protocol: r.transcripts[0] for r in rows("framing.yaml") if r.quirk == "as the reference shows it"}
CALL = {r.protocol: r.transcripts[0] for r in rows("tools.yaml") if r.quirk == "as the reference shows it"}
SAID = "Grüße, 👩‍👩‍👧 日本."
ASKED: Any = [{"role": "user", "content": "Who?"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PARAMETERS: Any = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}
ENDLESS = Transcript((b'data: {"choices": [{"delta": {"content": "Fo"}}]}\n\n',), endless=True)
protocols = pytest.mark.parametrize("protocol", ["openai", "anthropic", "gemini"])


def plays(service: Loopback, *transcripts: Transcript) -> str:
    """Lets the provider answer so; the service's base URL."""
    service.upstream.plays(*transcripts)
    return f"{service.url}/v1"


def whole(body: Any) -> Transcript:
    """An answer of the provider in one piece."""
    return Transcript((json.dumps(body).encode(),), 200, {"content-type": "application/json"})


def whole_text(text: str) -> Transcript:
    """The provider says this text, in one event."""
    said = json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]})
    return Transcript((f"data: {said}\n\n".encode(), b"data: [DONE]\n\n"))


def until_idle(service: Loopback) -> None:
    """Wait until no request to the provider is open: the client has left, and so has the service."""
    deadline_s = time.monotonic() + 10
    while service.upstream.open:
        assert time.monotonic() < deadline_s, "the provider still writes"
        time.sleep(0.01)
