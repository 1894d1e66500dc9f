"""Do answers in a given form stay valid, with a handoff in their middle too? JSON schemas and tool calls, a real model.

    make bench NAME=structured [SEED=1] [N=200] [CALLS=100] [SEAMS=2] [CONCURRENCY=8] [TIMED=20]

N random schemas and CALLS questions with tools go to SmolLM2-135M, greedily. Each answer is written once without a
handoff, and SEAMS times with a forced one behind a random token, to the same model: then it has to be identical. An
answer is valid if it has an end and follows its schema; the arguments of a call have to follow those of its tool.
`tool_calls_lost` counts calls that a handoff has lost, changed or made invalid. The times to the first token are
medians, of answers one at a time, with and without a grammar in turns; each grammar is new to the service.
"""

import asyncio
import json
import os
import statistics
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import jsonschema

from bench.schemas import schema
from bench.service import running, write
from scripts.real_models import bring

SEED = int(os.environ.get("SEED", "1"))
N = int(os.environ.get("N", "200"))
CALLS = int(os.environ.get("CALLS", "100"))
SEAMS = int(os.environ.get("SEAMS", "2"))
CONCURRENCY = int(os.environ.get("CONCURRENCY", "8"))
MODEL, SOURCE = "smollm2", "smollm2-135m-instruct"
MOST_TOKENS = 400
TIMED = int(os.environ.get("TIMED", "20"))
PEOPLE = ("Anna", "Boris", "Chloé", "Deniz", "Emil")
PLACES = ("Paris", "Lagos", "São Paulo", "Kyoto", "Oslo")


def tool(name: str, about: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """A function in OpenAI's format. All of its properties are required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": about, "parameters": parameters}}


TEXT, NUMBER = {"type": "string", "maxLength": 24}, {"type": "integer", "minimum": 0, "maximum": 9999}
TOOLS = [
    tool("get_weather", "The weather in a city.", city=TEXT, unit={"enum": ["celsius", "fahrenheit"]}),
    tool("send_message", "Sends a message.", to={"enum": list(PEOPLE)}, text=TEXT, urgent={"type": "boolean"}),
    tool(
        "book_table", "Books a table.", city=TEXT, guests=NUMBER, time={"type": "string", "pattern": "^[0-2][0-9]:00$"}
    ),
]


@dataclass(slots=True)
class Written:
    """An answer: its text, its calls as [name, arguments], and how it ended."""

    text: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    finish: str = ""
    tokens: int = 0
    ttft_s: float = 0.0
    segments: int = 0

    @property
    def content(self) -> tuple[str, list[list[str]]]:
        return self.text, list(self.calls.values())


class Asker:
    """Streams answers. `slots` are for comparisons: at most CONCURRENCY of them run at a time."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.slots = asyncio.Semaphore(CONCURRENCY)

    async def ask(self, body: dict[str, Any], after_tokens: int | None = None) -> Written:
        """One answer, with a handoff after so many tokens if a number is given."""
        whole = {"model": MODEL, "stream": True, "stream_options": {"include_usage": True}, "temperature": 0, **body}
        if after_tokens is not None:
            whole["ghost"] = {"handoffs": [{"after_tokens": after_tokens, "to": MODEL}]}
        began_s, answer = time.perf_counter(), Written()
        async with self._http.stream("POST", "/v1/chat/completions", json=whole) as response:
            if response.status_code != httpx.codes.OK:
                raise RuntimeError((await response.aread()).decode())
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    read(json.loads(line.removeprefix("data: ")), answer, began_s)
        return answer


def read(event: dict[str, Any], answer: Written, began_s: float) -> None:
    """Add an event of the stream to an answer."""
    if "error" in event:
        raise RuntimeError(event["error"]["message"])
    for choice in event["choices"]:
        delta = choice["delta"]
        if not answer.ttft_s and (delta.get("content") or delta.get("tool_calls")):
            answer.ttft_s = time.perf_counter() - began_s
        answer.text += delta.get("content") or ""
        answer.finish = choice["finish_reason"] or answer.finish
        for part in delta.get("tool_calls") or ():
            call = answer.calls.setdefault(part["index"], ["", ""])
            call[0] += part["function"].get("name") or ""
            call[1] += part["function"].get("arguments") or ""
    if event.get("usage"):
        answer.tokens = event["usage"]["completion_tokens"]
    answer.segments = len(event.get("ghost", {}).get("segments", ())) or answer.segments


def follows(text: str, form: dict[str, Any]) -> bool:
    """Whether a text is JSON that follows a schema."""
    try:
        jsonschema.validate(json.loads(text), form)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


def schema_body(number: int) -> dict[str, Any]:
    """A request for JSON by a random schema."""
    rng = Random(f"{SEED}/{number}")
    form = schema(rng)
    asked = f"Describe {rng.choice(PEOPLE)} from {rng.choice(PLACES)} as JSON with {', '.join(form['properties'])}."
    return {
        "messages": [{"role": "user", "content": asked}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}},
        "max_tokens": MOST_TOKENS,
    }


def call_body(number: int) -> dict[str, Any]:
    """A request that has to call a tool: any of them, or a certain one, in turns."""
    rng = Random(f"{SEED}/call/{number}")
    person, place, count = rng.choice(PEOPLE), rng.choice(PLACES), rng.randint(2, 9)
    asked = (
        f"What is the weather in {place}?",
        f"Tell {person} that I arrive in {place} in {count} hours.",
        f"A table in {place} for {count} people at eight, please.",
    )
    named = {"type": "function", "function": {"name": TOOLS[number % 3]["function"]["name"]}}
    return {
        "messages": [{"role": "user", "content": asked[number % 3]}],
        "tools": TOOLS,
        "tool_choice": named if number % 2 else "required",
        "parallel_tool_calls": False,
        "max_tokens": MOST_TOKENS,
    }


def is_valid(answer: Written, body: dict[str, Any]) -> bool:
    """Whether an answer has an end, and the form that was asked for."""
    if "tools" not in body:
        return answer.finish == "stop" and follows(answer.text, body["response_format"]["json_schema"]["schema"])
    forms = {t["function"]["name"]: t["function"]["parameters"] for t in TOOLS}
    calls = answer.calls.values()
    return answer.finish == "tool_calls" and bool(calls) and all(n in forms and follows(a, forms[n]) for n, a in calls)


async def compare(asker: Asker, body: dict[str, Any], rng: Random) -> dict[str, Any]:
    """An answer without a handoff, and those with one."""
    async with asker.slots:
        whole = await asker.ask(body)
        places = range(1, max(2, whole.tokens))
        cuts = rng.sample(places, min(SEAMS, len(places)))
        moved = await asyncio.gather(*(asker.ask(body, cut) for cut in cuts))
    if any(m.segments != 2 for m in moved) and whole.tokens > 1:
        raise RuntimeError("an answer did not change hands")
    return {
        "valid": is_valid(whole, body),
        "calls": len(whole.calls),
        "seams": [
            {"after_tokens": cut, "valid": is_valid(m, body), "identical": m.content == whole.content}
            for cut, m in zip(cuts, moved, strict=True)
        ],
        "asked": body["messages"][0]["content"],
        "answer": whole.text or list(whole.calls.values()),
    }


async def first_tokens(asker: Asker) -> tuple[float, float]:
    """The median time to the first token with and without a grammar, in seconds."""
    guided, free = list[float](), list[float]()
    for number in range(TIMED):
        body = schema_body(10_000 + number)
        plain = {k: v for k, v in body.items() if k != "response_format"}
        for times, asked in ((guided, body | {"max_tokens": 2}), (free, plain | {"max_tokens": 2})):
            times.append((await asker.ask(asked)).ttft_s)
    return statistics.median(guided), statistics.median(free)


def share(values: list[bool]) -> float:
    """The share that is true."""
    return sum(values) / len(values)


async def told(comparisons: Sequence[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """The records of comparisons, in the order in which they end. Says how far it is."""
    began_s, records = time.perf_counter(), []
    for i, comparison in enumerate(asyncio.as_completed(comparisons), 1):
        records.append(await comparison)
        if i % 20 == 0 or i == len(comparisons):
            print(f"{i} of {len(comparisons)} after {time.perf_counter() - began_s:.0f} s", flush=True)
    return records


async def measure(url: str) -> dict[str, Any]:
    rng = Random(SEED)
    async with httpx.AsyncClient(base_url=url, timeout=600) as http:
        asker = Asker(http)
        bodies = [schema_body(i) for i in range(N)] + [call_body(i) for i in range(CALLS)]
        records = await told([compare(asker, body, Random(rng.random())) for body in bodies])
        guided_s, free_s = await first_tokens(asker)
    seams = [s for r in records for s in r["seams"]]
    called = [s for r in records if r["calls"] for s in r["seams"]]
    wrong = [r for r in records if not (r["valid"] and all(s["valid"] and s["identical"] for s in r["seams"]))]
    return {
        "valid_share": share([r["valid"] for r in records]),
        "valid_share_with_seams": share([s["valid"] for s in seams]),
        "identical_share": share([s["identical"] for s in seams]),
        "tool_calls_lost": sum(not (s["valid"] and s["identical"]) for s in called),
        "ttft_ratio": guided_s / free_s,
        "ttft_with_grammar_s": guided_s,
        "ttft_without_s": free_s,
        "schemas": N,
        "tool_prompts": CALLS,
        "tool_calls": sum(r["calls"] for r in records),
        "seams": len(seams),
        "seams_in_tool_calls": len(called),
        "wrong": wrong,
        "model": SOURCE,
        "seed": SEED,
    }


def main() -> None:
    bring(SOURCE)
    with running("bench/structured.yaml", "http://127.0.0.1:8101") as url:
        write("structured", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
