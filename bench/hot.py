"""A threshold and a rule change under load: are requests lost, and how soon is the change in force?

    make bench NAME=hot [RATE=50] [PHASE_S=6]

Previews come at a fixed rate, whatever the service does. A chat answer is written every three seconds. Serve gets
another `user_config` three times: with another threshold, with another rule, and a wrong one. A change is in force when
no later request is decided as before. `effect_s` starts before the change is sent.
"""

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import yaml

from bench.handoff import percentile
from bench.plain_http import PlainClient
from bench.service import DASHBOARD, ROOT, Client, running, write
from ghostrouter.cli import reload
from ghostrouter.cli.serve import authorization

RATE = float(os.environ.get("RATE", "50"))
PHASE_S = float(os.environ.get("PHASE_S", "6"))
CONFIG = os.environ.get("CONFIG", "serve_config.yaml")
# What layer 2 labels, and what no rule knows before the second change. There are so many of each: people repeat
# themselves, and an encoder on two cores has no 50 new prompts a second.
VARIANTS = 20
CHAT_EVERY_S = 3.0
BY_MEANING = "Tell me about the life of Mira Voss, visitor number {}."
BY_RULE = "quagga {}"
QUESTION = "Who was Xenia Farrow? Give teacher, home, work, birth, trade."


@dataclass(frozen=True, slots=True)
class Reply:
    """A preview: when it was asked for, on time.monotonic(), how long it took, and what it said."""

    kind: str
    asked_s: float
    took_s: float
    task: str = ""
    layer: str = ""
    reason: str = ""
    error: str = ""


async def preview(http: PlainClient, kind: str, prompt: str) -> Reply:
    began_s = time.monotonic()
    try:
        found = (await http.post("/v1/route", {"query": prompt}))["classification"]
    except (OSError, KeyError) as error:
        return Reply(kind, began_s, time.monotonic() - began_s, error=repr(error))
    return Reply(kind, began_s, time.monotonic() - began_s, found["task"], found["layer"], found["reason"])


async def load(http: PlainClient, until: asyncio.Event) -> list[Reply]:
    """Both kinds in turn, RATE a second, open loop."""
    sent: list[asyncio.Task[Reply]] = []
    began_s = time.monotonic()
    while not until.is_set():
        number = len(sent)
        kind, prompt = ("rule", BY_RULE) if number % 2 else ("meaning", BY_MEANING)
        sent.append(asyncio.create_task(preview(http, kind, prompt.format(number // 2 % VARIANTS))))
        await asyncio.sleep(max(0.0, began_s + (number + 1) / RATE - time.monotonic()))
    return list(await asyncio.gather(*sent))


async def chat(client: Client, until: asyncio.Event) -> tuple[int, list[str]]:
    """How many answers were written, and what went wrong."""
    written, errors = 0, []
    while not until.is_set():
        try:
            answer = await client.ask([{"role": "user", "content": QUESTION}], model="ghost/auto")
            written += 1
            if not answer.text:
                errors.append("empty answer")
        except (httpx.HTTPError, RuntimeError) as error:
            errors.append(repr(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(CHAT_EVERY_S):
                await until.wait()
    return written, errors


def hand_over(sections: dict[str, Any]) -> None:
    with httpx.Client(base_url=DASHBOARD, headers=authorization(), timeout=60) as ray:
        reload.put(ray, sections)


def effect_s(replies: list[Reply], kind: str, wanted: str, changed_s: float, until_s: float) -> float:
    """From the change to the last question that was still answered as before; infinite where the last one was."""
    later = sorted((r for r in replies if r.kind == kind and changed_s <= r.asked_s < until_s), key=lambda r: r.asked_s)
    old = [r for r in later if r.task != wanted]
    if not later or (old and old[-1] is later[-1]):
        return float("inf")
    return old[-1].asked_s - changed_s if old else 0.0


async def changes(http: httpx.AsyncClient) -> tuple[list[float], dict[str, Any]]:
    """Make all three; when each was sent, and what the service says of the last."""
    routes = yaml.safe_load((ROOT / CONFIG).read_text())["applications"][0]["args"]["routes"]
    strict = {"router": {"l2": {"threshold": 0.999}}}
    ruled = {**routes, "arithmetic": {**routes["arithmetic"], "rules": [r"\bquagga\b"]}}
    wrong = {**routes, "arithmetic": {**routes["arithmetic"], "rules": ["("]}}
    at_s = []
    for sections in (strict, {**strict, "routes": ruled}, {**strict, "routes": wrong}):
        await asyncio.sleep(PHASE_S)
        at_s.append(time.monotonic())
        await asyncio.to_thread(hand_over, sections)
    await asyncio.sleep(PHASE_S)
    status = (await http.get("/v1/status")).json()["configuration"]
    at_s.append(time.monotonic())
    await asyncio.to_thread(hand_over, {})
    return at_s, status


async def measure(url: str) -> dict[str, Any]:
    until = asyncio.Event()
    plain = PlainClient(url, timeout_s=60)
    async with httpx.AsyncClient(base_url=url, timeout=60) as http, Client(url, 1) as client:
        await client.ask([{"role": "user", "content": QUESTION}], model="ghost/auto")
        for prompt in (BY_MEANING, BY_RULE):
            for number in range(VARIANTS):
                await preview(plain, "warm", prompt.format(number))
        tasks = asyncio.create_task(load(plain, until)), asyncio.create_task(chat(client, until))
        at_s, status = await changes(http)
        until.set()
        replies, (written, chat_errors) = await asyncio.gather(*tasks)
    plain.close()
    return summarise(replies, written, chat_errors, at_s, status)


def summarise(
    replies: list[Reply], written: int, chat_errors: list[str], at_s: list[float], status: dict[str, Any]
) -> dict[str, Any]:
    """The figures, flat."""
    errors = [r.error for r in replies if r.error] + chat_errors
    seconds = [r.took_s for r in replies]
    span_s = max(r.asked_s for r in replies) - min(r.asked_s for r in replies)
    threshold, rule, wrong, end = at_s
    before = {r.task for r in replies if r.kind == "meaning" and r.asked_s + r.took_s < threshold}
    changing = [r.took_s for r in replies if any(s - 0.5 <= r.asked_s < s + 2 for s in (threshold, rule, wrong))]
    kept = [r for r in replies if wrong <= r.asked_s and r.asked_s + r.took_s < end]
    return {
        "requests": len(replies) + written,
        "errors": len(errors),
        "effect_s_threshold": effect_s(replies, "meaning", "default", threshold, rule),
        "effect_s_rule": effect_s(replies, "rule", "arithmetic", rule, wrong),
        "rate_per_s": len(replies) / span_s,
        "previews": len(replies),
        "chat_answers": written,
        "not_classified": sum(r.reason == "not classified" for r in replies),
        "task_before": ", ".join(sorted(before)),
        "wrong_change_refused": bool(status["refused"]),
        "wrong_change_told": status["refused"],
        "decided_as_before_after_wrong_change": sum(
            r.task == ("arithmetic" if r.kind == "rule" else "default") for r in kept
        )
        / max(1, len(kept)),
        "preview_p50_ms": 1e3 * percentile(seconds, 0.5),
        "preview_p99_ms": 1e3 * percentile(seconds, 0.99),
        "preview_most_ms": 1e3 * max(seconds),
        "preview_while_changing_p99_ms": 1e3 * percentile(changing, 0.99),
        "what_went_wrong": sorted(set(errors))[:10],
    }


def main() -> None:
    with running(CONFIG) as url:
        write("hot", asyncio.run(measure(url)))


if __name__ == "__main__":
    main()
