"""What the provider behind the service says to the clients, in each protocol."""

import json
from typing import Any

import pytest

from tests.providers.quirks.loopback import Loopback
from tests.providers.quirks.table import rows
from tests.providers.quirks.upstream import Transcript

TEXT = {r.protocol: r.transcripts[0] for r in rows("framing.yaml") if r.quirk == "as the reference shows it"}
CALL = {r.protocol: r.transcripts[0] for r in rows("tools.yaml") if r.quirk == "as the reference shows it"}
SAID = "Grüße, 👩‍👩‍👧 日本."
ASKED: Any = [{"role": "user", "content": "Who?"}]
PARAMETERS: Any = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}
protocols = pytest.mark.parametrize("protocol", ["openai", "anthropic", "gemini"])


def plays(service: Loopback, *transcripts: Transcript) -> str:
    """Lets the provider answer so; the service's base URL."""
    service.upstream.plays(*transcripts)
    return f"{service.url}/v1"


def whole(body: Any) -> Transcript:
    """An answer of the provider in one piece."""
    return Transcript((json.dumps(body).encode(),), 200, {"content-type": "application/json"})
