"""Seed data for a cold start: prompts with their tasks, from templates. The tasks are those of the built-in rules."""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

import numpy as np

_TRIES = 100

SLOTS: Mapping[str, tuple[str, ...]] = {
    "language": ("Python", "Rust", "Go", "TypeScript", "Java", "C++", "SQL", "Bash"),
    "thing": ("a linked list", "a rate limiter", "an LRU cache", "a JSON parser", "a priority queue", "a web scraper"),
    "action": ("sorts", "validates", "merges", "counts", "caches", "streams"),
    "items": ("log lines", "user records", "dates", "e-mail addresses", "matrices", "files in a folder"),
    "topic": ("photosynthesis", "inflation", "plate tectonics", "black holes", "vaccines", "the Silk Road"),
    "tongue": ("French", "German", "Japanese", "Arabic", "Spanish", "Swahili"),
    "sentence": (
        "Where is the station?", "The meeting starts at nine.", "I would like a room for two.", "It rained all week.",
    ),
    "document": ("report", "contract", "article", "transcript of the meeting", "chapter", "e-mail thread"),
    "person": ("a child", "a new colleague", "an engineer", "my grandmother"),
    "small": tuple(str(n) for n in range(2, 30)),
    "large": tuple(str(n) for n in range(31, 990, 7)),
    "name": ("Ada", "Bo", "Chidi", "Dana", "Emre", "Fatima"),
    "greeting": ("Hello", "Hi there", "Good morning", "Hey"),
}  # fmt: skip

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "code": (
        "Write {thing} in {language}.",
        "Write a {language} function that {action} {items}.",
        "Why does my {language} program crash when it {action} {items}?",
        "Refactor this {language} class that {action} {items}.",
    ),
    "math": (
        "What is {large} times {small}?",
        "{name} has {large} coins, loses {small} and doubles the rest. How many are left?",
        "Solve {small}x + {large} = 0.",
        "What is the probability of at least one six in {small} rolls of a die?",
    ),
    "reasoning": (
        "Explain {topic} to {person}.",
        "How does {topic} work?",
        "Why does {topic} matter? Explain it step by step.",
    ),
    "translation": (
        "Translate into {tongue}: {sentence}",
        "How do you say \"{sentence}\" in {tongue}?",
    ),
    "summarisation": (
        "Summarise this {document} in {small} sentences.",
        "Give me the key points of the {document} for {person}.",
    ),
    "docs": (
        "Write a README for {thing} in {language}.",
        "Document a {language} function that {action} {items}.",
    ),
    "simple_chat": (
        "{greeting}, how are you?",
        "{greeting}! I am {name}. What can you do?",
    ),
}  # fmt: skip


def seed(
    count: int,
    rng: np.random.Generator,
    templates: Mapping[str, tuple[str, ...]] = TEMPLATES,
    slots: Mapping[str, tuple[str, ...]] = SLOTS,
) -> Iterator[dict[str, Any]]:
    """Up to `count` different rows `{prompt, task}`, as many of each task as its templates allow.

    Raises:
        KeyError: a template has a slot that is unknown.
    """
    waiting, seen = list(templates), set[str]()
    while waiting and len(seen) < count:
        task = waiting.pop(0)
        drawn = (_filled(templates[task], slots, rng) for _ in range(_TRIES))
        prompt = next((p for p in drawn if p not in seen), None)
        if prompt is not None:  # else its templates allow no more
            waiting.append(task)
            seen.add(prompt)
            yield {"prompt": prompt, "task": task}


def _filled(texts: tuple[str, ...], slots: Mapping[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    """One of the templates with words in its slots."""
    template = texts[int(rng.integers(len(texts)))]
    names = sorted({name for _, name, _, _ in Formatter().parse(template) if name})
    return template.format(**{n: slots[n][int(rng.integers(len(slots[n])))] for n in names})
