"""The rows of the table: YAML files beside this one, read into transcripts and what the client must see.

A row has a `quirk`, and for each protocol that has it a wire transcript:

    events: a list, each a mapping (sent as one event) or a text (sent as it stands); a protocol's usual end follows.
        `{say: text}` and `{end: stop}` stand for what the protocol has for that
    frame: how the events are written down (see `_FRAMES`)
    ends: false, where that end does not come     broken: true, where the connection breaks off instead
    pack: how the body is compressed (see `_PACKED`)
    bomb: the body is so many blanks, compressed
    cut: so many bytes at a time                  status, headers, body: of an answer that is no stream
    then: what the next request gets

and, for all or by protocol, what the client `sees`: text, reasoning, calls (name and arguments), finish, usage (prompt,
completion, cached, reasoning), error (status and code, or code alone where it comes in mid-stream), asked (how many
requests reach the provider), pieces (the texts of a stream, one by one).
"""

import codecs
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.providers.quirks.upstream import Transcript

PROTOCOLS = ("openai", "anthropic", "gemini", "mistral", "azure")
_LIKE_OPENAI = ("openai", "mistral", "azure")


@dataclass(frozen=True)
class Row:
    """One cell of the table: a quirk in one protocol."""

    quirk: str
    protocol: str
    transcripts: tuple[Transcript, ...]
    ask: dict[str, Any]
    sees: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.quirk} [{self.protocol}]"


def rows(*files: str) -> list[Row]:
    """The rows of some files."""
    return [row for file in files for row in _read(Path(__file__).parent / file)]


def _read(path: Path) -> Iterator[Row]:
    for told in yaml.safe_load(path.read_text("utf-8")):
        for protocol in PROTOCOLS:
            wire = told.get(protocol) or (told.get("like_openai") if protocol in _LIKE_OPENAI else None)
            wire = wire or told.get("all")
            if wire is None:
                continue
            wires = [wire]
            while "then" in wires[-1]:
                wires.append(wires[-1]["then"])
            sees = {**told.get("sees", {}), **wire.get("sees", {})}
            ask = {**told.get("ask", {}), **wire.get("ask", {})}
            yield Row(told["quirk"], protocol, tuple(_transcript(w, protocol) for w in wires), ask, sees)


def _transcript(wire: dict[str, Any], protocol: str) -> Transcript:
    if "body" in wire:
        body = wire["body"] if isinstance(wire["body"], str) else json.dumps(wire["body"])
        pieces = [body.encode()]
    else:
        pieces = [_event(e, protocol) for e in wire["events"]]
        if wire.get("ends", True) and not wire.get("broken") and protocol in _LIKE_OPENAI:
            pieces.append(b"data: [DONE]\n\n")
    if frame := wire.get("frame"):
        pieces = [_FRAMES[frame](b"".join(pieces))]
    if pack := wire.get("pack"):
        pieces = [_PACKED[pack][1](b"".join(pieces))]
    if blanks := wire.get("bomb"):
        pieces, pack = [gzip.compress(b" " * blanks)], "gzip"
    if size := wire.get("cut"):
        whole = b"".join(pieces)
        pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    headers = {"content-type": "text/event-stream" if "events" in wire else "application/json"}
    headers |= wire.get("headers", {}) | ({"content-encoding": _PACKED[pack][0]} if pack else {})
    return Transcript(tuple(pieces), wire.get("status", 200), headers, wire.get("broken", False))


def _event(event: Any, protocol: str) -> bytes:
    """As it stands, if it is a text; else as one event, escapes such as half a surrogate pair included."""
    if isinstance(event, str):
        return event.encode("utf-8", "surrogateescape")
    told = [event]
    if event.keys() <= {"say", "end"}:
        told = _SAID[protocol](event.get("say"), event.get("end"))
    return b"".join(_named(e, protocol) for e in told)


def _named(event: dict[str, Any], protocol: str) -> bytes:
    name = f"event: {event['type']}\n" if protocol == "anthropic" and "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def _openai(text: str | None, end: str | None) -> list[dict[str, Any]]:
    delta = {} if text is None else {"content": text}
    return [{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}]


def _anthropic(text: str | None, end: str | None) -> list[dict[str, Any]]:
    if text is not None:
        return [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}]
    stop = {"stop": "end_turn", "length": "max_tokens"}[end or "stop"]
    return [{"type": "message_delta", "delta": {"stop_reason": stop}}, {"type": "message_stop"}]


def _gemini(text: str | None, end: str | None) -> list[dict[str, Any]]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [] if text is None else [{"text": text}]}}
    finish = {"stop": "STOP", "length": "MAX_TOKENS"}
    return [{"candidates": [candidate | ({"finishReason": finish[end]} if end else {})]}]


_SAID: dict[str, Callable[[str | None, str | None], list[dict[str, Any]]]] = {
    **dict.fromkeys(_LIKE_OPENAI, _openai),
    "anthropic": _anthropic,
    "gemini": _gemini,
}


def _multiline(body: bytes) -> bytes:
    """Every event's JSON over several lines of data."""
    lines = body.decode().split("\n")
    for i, line in enumerate(lines):
        if line.startswith("data: {"):
            pretty = json.dumps(json.loads(line[6:]), indent=1).split("\n")
            lines[i] = "\n".join(f"data: {part}" for part in pretty)
    return "\n".join(lines).encode()


_FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "crlf": lambda b: b.replace(b"\n", b"\r\n"),
    "cr": lambda b: b.replace(b"\n", b"\r"),
    "bom": lambda b: codecs.BOM_UTF8 + b,
    "comments": lambda b: b": hello\n\n" + b.replace(b"\n\n", b"\n\n: keep-alive\n\n"),
    "empty_data": lambda b: b"data:\n\n" + b.replace(b"\n\n", b"\n\ndata: \n\ndata\n\n"),
    "no_space": lambda b: b.replace(b"data: ", b"data:"),
    "ids": lambda b: b"retry: 3000\n\n" + b.replace(b"data: ", b"id: 7\ndata: "),
    "names": lambda b: b.replace(b"data: ", b"event: message\ndata: "),
    "multiline": _multiline,
    "unended": lambda b: b.removesuffix(b"\n\n"),
    "half_ended": lambda b: b.removesuffix(b"\n"),
    "blank_lines": lambda b: b"\n\n\n" + b.replace(b"\n\n", b"\n\n\n\n"),
    "twice_named": lambda b: b.replace(b"data: ", b"data: data: "),
    "no_empty_lines": lambda b: b.replace(b"\n\n", b"\n"),
    "pretty_body": lambda b: codecs.BOM_UTF8 + json.dumps(json.loads(b), indent=1).encode(),
    "null_events": lambda b: b"data: null\n\n" + b,
    "indented": lambda b: b.replace(b"data: ", b" data: "),
    "capitals": lambda b: b.replace(b"data: ", b"Data: "),
    "boms": lambda b: b.replace(b"data: ", codecs.BOM_UTF8 + b"data: " + codecs.BOM_UTF8),
    "tabs": lambda b: b.replace(b"data: ", b"data:\t"),
}


def _members(body: bytes) -> bytes:
    """A gzip file in two members."""
    return gzip.compress(body[:20]) + gzip.compress(body[20:])


# The value of `content-encoding`, and what it stands for.
_PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip_members": ("gzip", _members),
    "gzip_and_none": ("identity, gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw_deflate": ("deflate", lambda b: zlib.compress(b)[2:-4]),
}
