"""Reads a streamed chat answer from the bytes of its HTTP response and the times at which they came.

The load generator only collects (`bench/load.py`); this runs when a measurement is over, and costs it nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Reads = Sequence[tuple[float, bytes]]


@dataclass(slots=True)
class Arrival:
    """One answer as it came: `pieces` has the time of each read that brought text, and its number of characters."""

    asked_s: float
    ended_s: float = 0.0
    status: int = 0
    text: str = ""
    pieces: list[tuple[float, int]] = field(default_factory=list)
    finish: str | None = None
    done: bool = False
    completion_tokens: int | None = None
    logprob_entries: int = 0
    top_logprobs: int = 0
    error: str = ""

    @property
    def ttft_s(self) -> float:
        """From the request to the first text."""
        return self.pieces[0][0] - self.asked_s

    @property
    def gaps_s(self) -> list[float]:
        """The time between reads that brought text: what a reader sees, however many tokens a read brings."""
        times = [at_s for at_s, _ in self.pieces]
        return [b - a for a, b in pairwise(times)]

    def share_between(self, begin_s: float, end_s: float) -> float:
        """The share of the text that came in this time."""
        return sum(n for at_s, n in self.pieces if begin_s <= at_s < end_s) / len(self.text) if self.text else 0.0


def is_complete(received: bytearray) -> bool:
    """Whether an HTTP/1.1 response is at its end. Its body is chunked or has a length."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    length = _content_length(bytes(received[:head_end]))
    if length is None:
        return received.endswith(b"\r\n0\r\n\r\n")
    return len(received) >= head_end + 4 + length


def read(asked_s: float, reads: Reads) -> Arrival:
    """An answer from the reads of its whole response."""
    found = Arrival(asked_s, ended_s=reads[-1][0] if reads else asked_s)
    raw = b"".join(data for _, data in reads)
    head, _, body = raw.partition(b"\r\n\r\n")
    try:
        found.status = int(head.split(b" ", 2)[1])
        if found.status != 200:
            found.error = f"status {found.status}: {body[:200].decode(errors='replace')}"
            return found
        _read_events(found, reads, len(head) + 4, chunked=_content_length(head) is None)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        found.error = f"not an answer: {error!r}"
    return found


def read_body(asked_s: float, status: int, reads: Reads) -> Arrival:
    """An answer from the reads of its body alone, with no transfer coding."""
    found = Arrival(asked_s, ended_s=reads[-1][0] if reads else asked_s, status=status)
    if status != 200:
        found.error = f"status {status}: {reads[:1]}"
        return found
    _read_events(found, reads, 0, chunked=False)
    return found


def problem(found: Arrival, tokens: int | None, finish: str, top_logprobs: int = 0) -> str:
    """What is wrong with an answer, apart from its text; empty if nothing is. `tokens` None: however many."""
    if found.error:
        return found.error
    if not found.done:
        return "no [DONE]"
    if found.finish != finish:
        return f"finish_reason is {found.finish}"
    if tokens is not None and found.completion_tokens != tokens:
        return f"{found.completion_tokens} tokens instead of {tokens}"
    if top_logprobs and (found.logprob_entries != found.completion_tokens or found.top_logprobs < top_logprobs):
        return f"{found.logprob_entries} entries of {found.top_logprobs} log-probabilities"
    return ""


def _content_length(head: bytes) -> int | None:
    found = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(found.split(b"\r\n", 1)[0]) if found else None


def _read_events(found: Arrival, reads: Reads, body_at: int, chunked: bool) -> None:
    """Take in the events, each at the time of the read that completed it."""
    body, line, skip = _Chunks() if chunked else None, b"", body_at
    for at_s, data in reads:
        fresh, skip = data[skip:], max(0, skip - len(data))
        *whole, line = (line + (body.feed(fresh) if body else fresh)).split(b"\n")
        characters = sum(_take(found, event.strip()) for event in whole)
        if characters:
            found.pieces.append((at_s, characters))


def _take(found: Arrival, line: bytes) -> int:
    """Take in one line of the event stream; how many characters of text it brought."""
    if not line.startswith(b"data:"):
        return 0
    data = line[5:].strip()
    if data == b"[DONE]":
        found.done = True
        return 0
    event: dict[str, Any] = json.loads(data)
    if "error" in event:
        found.error = str(event["error"])[:300]
    if event.get("usage"):
        found.completion_tokens = event["usage"]["completion_tokens"]
    before = len(found.text)
    for choice in event.get("choices") or ():
        found.text += choice["delta"].get("content") or ""
        found.finish = choice.get("finish_reason") or found.finish
        for entry in (choice.get("logprobs") or {}).get("content") or ():
            found.logprob_entries += 1
            found.top_logprobs = len(entry["top_logprobs"])
    return len(found.text) - before


class _Chunks:
    """Takes the chunked transfer coding off."""

    def __init__(self) -> None:
        self._raw = b""

    def feed(self, data: bytes) -> bytes:
        """The body in all chunks that are whole now."""
        self._raw += data
        body = b""
        while True:
            size, newline, rest = self._raw.partition(b"\r\n")
            length = int(size.split(b";")[0], 16) if newline else 0
            if not newline or len(rest) < length + 2:
                return body
            body += rest[:length]
            self._raw = rest[length + 2 :]
