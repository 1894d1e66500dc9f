"""Features that are counted in a prompt. They add cheap numbers to its embedding."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPTION = re.compile(r"^\(?[A-J][.):]\s*(.*)$", re.MULTILINE)
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")

# Counted per prompt; each is a plain alternation, so that the time is linear.
_PATTERNS = {
    "negations": r"\b(?:not|except|never|neither|nor|without|least|false|incorrect|cannot|un\w+|non\w*)\b",
    "quantifiers": r"\b(?:all|every|each|any|some|none|most|only|both|always)\b",
    "comparisons": r"\b(?:more|less|than|twice|half|times|fewer|greater|larger|smaller|older|younger)\b",
    "conditions": r"\b(?:if|then|suppose|assume|assuming|given|let|unless|whether|when)\b",
    "rates": r"\b(?:per|percent|each|rate|average|ratio|probability|total|remaining|left)\b|%",
    "money": r"[$€£]|\b(?:dollars?|cents?|cost|price|pay)\b",
    "time_units": r"\b(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b",
    "operators": r"[=<>+*/^±×÷√∑∫≤≥≈]",
    "latex": r"\\[a-zA-Z]+|\$[^$\n]{1,80}\$",
    "brackets": r"[()\[\]{}]",
    "blanks": r"_{2,}",
    "statements": r"\b(?:Statement|Scenario|Premise|I{1,3})\b",
    "first_person": r"\b(?:I|my|me)\b",
    "roles": r"\b(?:patient|man|woman|defendant|plaintiff|company|student|state|court)\b",
    "asks_which": r"\b(?:which|what|who|where)\b",
    "asks_how": r"\b(?:how|why|explain|describe|prove|show|derive)\b",
    "asks_number": r"\b(?:how many|how much|how long|how far|calculate|compute|find|evaluate|solve)\b",
    "code": r"```|\bdef \w+\(|\breturn\b|;\s*$|\{\s*$",
    "quotes": r"[\"“”]",
    "newlines": r"\n",
    "questions": r"\?",
    "years": r"\b(?:1[0-9]{3}|20[0-9]{2})\b",
    "fractions": r"\b\d+/\d+\b|\b(?:half|third|quarter|fifth)s?\b",
}
_COMPILED = {name: re.compile(p, re.IGNORECASE | re.MULTILINE) for name, p in _PATTERNS.items()}

NAMES = (
    "log_characters",
    "log_words",
    "log_sentences",
    "word_length",
    "long_words",
    "capitals",
    "digits",
    "not_ascii",
    "distinct_words",
    "numbers",
    "log_largest_number",
    "distinct_numbers",
    "decimals",
    "options",
    "option_length",
    "option_spread",
    "options_of_numbers",
    "options_true_false",
    "stem_length",
    *(f"{name}_{kind}" for name in _PATTERNS for kind in ("count", "density")),
)
"""The names of the features, in the order of the vector."""


def features(prompts: Sequence[str]) -> Array:
    """The features of prompts, of shape (prompts, len(NAMES)). Only the first 20,000 characters are read."""
    return np.array([_one(p[:20_000]) for p in prompts], dtype=np.float64).reshape(len(prompts), len(NAMES))


def _one(prompt: str) -> list[float]:
    words = _WORD.findall(prompt)
    size, count = max(1, len(prompt)), max(1, len(words))
    counts = [len(p.findall(prompt)) for p in _COMPILED.values()]
    return [
        np.log1p(len(prompt)),
        np.log1p(len(words)),
        np.log1p(len(_SENTENCE.findall(prompt))),
        sum(map(len, words)) / count,
        sum(len(w) > 8 for w in words) / count,
        sum(w[0].isupper() for w in words) / count,
        sum(c.isdigit() for c in prompt) / size,
        sum(ord(c) > 127 for c in prompt) / size,
        len({w.lower() for w in words}) / count,
        *_numbers(prompt),
        *_options(prompt),
        *(x for c in counts for x in (np.log1p(c), c / count)),
    ]


def _numbers(prompt: str) -> list[float]:
    found = _NUMBER.findall(prompt)
    values = [float(n.replace(",", "")) if n.count(".") < 2 else 0.0 for n in (f[:30] for f in found)]
    return [
        np.log1p(len(found)),
        np.log1p(max(values, default=0.0)),
        np.log1p(len(set(values))),
        sum("." in f for f in found) / max(1, len(found)),
    ]


def _options(prompt: str) -> list[float]:
    """Features of a multiple-choice question: the number, length, spread and kind of its options."""
    found = [m.group(1).strip() for m in _OPTION.finditer(prompt)]
    first = _OPTION.search(prompt)
    lengths = [len(f) for f in found] or [0]
    count = max(1, len(found))
    return [
        float(min(len(found), 10)),
        np.log1p(np.mean(lengths)),
        np.log1p(np.std(lengths)),
        sum(any(c.isdigit() for c in f) for f in found) / count,
        sum("true" in f.lower() or "wrong" in f.lower() for f in found) / count,
        np.log1p(first.start() if first else len(prompt)),
    ]
