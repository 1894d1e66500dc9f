"""Texts that the redactor's patterns were not written for, read from `redaction_held_out.yaml`.

The samples were written before their author had read the redactor's code. Private text stands between ⟦ and ⟧. Text
between ‹ and › is random and made anew for each seed: `‹hex 32›` is thirty-two hexadecimal digits. So this repository
has no text that looks like a real key. Numbers (IBAN, cards, national ids) are invented and valid.
"""

import base64
import json
import random
import re
import string
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import yaml

from bench.redaction_corpus import Sample

FILE = Path(__file__).with_suffix(".yaml")
_LETTERS, _DIGITS = string.ascii_letters, string.digits
_ALPHABETS = {
    "d": _DIGITS,
    "hex": _DIGITS + "abcdef",
    "HEX": _DIGITS + "ABCDEF",
    "letters": _LETTERS,
    "an": _DIGITS + string.ascii_lowercase,
    "AN": _DIGITS + string.ascii_uppercase,
    "b32": string.ascii_uppercase + "234567",
    "b32l": string.ascii_lowercase + "234567",
    "b62": _LETTERS + _DIGITS,
    "b64": _LETTERS + _DIGITS + "+/",
    "url": _LETTERS + _DIGITS + "-_",
}
_BREAKS = {"pem": "\n", "pemn": r"\n", "pemi": "\n    "}
_RANDOM = re.compile(r"‹(\w+)(?: (\d+))?(?: (\d+))?›")


def held_out(seed: int) -> Iterator[Sample]:
    """Every sample of the file. Its random parts depend on the seed and its place alone."""
    for kind, texts in yaml.safe_load(FILE.read_text()).items():
        for place, marked in enumerate(texts):
            rng = random.Random(f"{seed} {kind} {place}")
            yield _sample(kind, _RANDOM.sub(partial(_made, rng), marked))


def _sample(kind: str, marked: str) -> Sample:
    text, spans, begin = "", [], 0
    for part in re.split("([⟦⟧])", marked):
        if part == "⟦":
            begin = len(text)
        elif part == "⟧":
            spans.append((begin, len(text)))
        else:
            text += part
    return Sample(kind, text, tuple(spans))


def _made(rng: random.Random, match: re.Match[str]) -> str:
    name, *sizes = match.groups()
    numbers = [int(n) for n in sizes if n]
    if name in _ALPHABETS:
        return _chars(rng, name, *numbers)
    if name in _BREAKS:
        lines, width = numbers
        return _BREAKS[name].join(_chars(rng, "b64", width) for _ in range(lines))
    return _WHOLE[name](rng)


def _chars(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(_ALPHABETS[alphabet], k=count))


def _base64(part: dict[str, object]) -> str:
    raw = json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _jwt(rng: random.Random) -> str:
    header: dict[str, object] = {"alg": rng.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}
    claims: dict[str, object] = {
        "sub": _chars(rng, "d", 10),
        "iat": 1_746_950_000 + rng.randrange(10**6),
        "scope": "read write",
    }
    return f"{_base64(header)}.{_base64(claims)}.{_chars(rng, 'url', 43)}"


def _basic(rng: random.Random) -> str:
    return base64.b64encode(f"ci-bot:{_chars(rng, 'b62', 14)}".encode()).decode()


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


_WHOLE: dict[str, Callable[[random.Random], str]] = {"jwt": _jwt, "basic": _basic, "uuid": _uuid}
