"""The structure of a prompt: code, formulas, images, tools, length."""

import re
from dataclasses import dataclass

_CODE = re.compile(r"```|^ {4,}\S.*[;{}()=]", re.MULTILINE)
_LATEX = re.compile(r"\\\[|\\(?:frac|int|sum|sqrt|lim)\b")
_SYMBOLS = "∫√∑π≤≥"
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Structure:
    """The structure of a prompt.

    `image` and `tools` come from the request, the rest from the text; `tokens` is estimated.
    """

    image: bool = False
    tools: bool = False
    code: bool = False
    math: bool = False
    tokens: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The structural rules that match."""
        if not (self.image or self.tools or self.code or self.math):
            return ()
        return tuple(name for name in NAMES if getattr(self, name))


NAMES = ("image", "tools", "code", "math")
"""What a structural rule may ask for."""


def structure(prompt: str, image: bool = False, tools: bool = False) -> Structure:
    """The structure of a prompt."""
    head = prompt[:_MOST]
    return Structure(image, tools, _is_code(head), _is_math(head), estimate_tokens(prompt))


def _is_code(text: str) -> bool:
    """Tries plain substring tests first; they are faster than the regular expression."""
    return "```" in text or ("    " in text and _CODE.search(text) is not None)


def _is_math(text: str) -> bool:
    if "$$" in text or ("\\" in text and _LATEX.search(text) is not None):
        return True
    return not text.isascii() and any(symbol in text for symbol in _SYMBOLS)


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has, whatever the tokenizer: a quarter of its bytes."""
    return (len(text.encode()) + 3) // 4


def complexity(prompt: str, tokens: int) -> float:
    """How demanding a prompt looks, in [0, 1]: length, conditions, steps and questions asked."""
    marks = len(_DEMANDS.findall(prompt[:_MOST]))
    return min(1.0, 0.08 * marks + 0.5 * min(1.0, tokens / 2000))


_DEMANDS = re.compile(
    r"\b(?:must|should|ensure|require[sd]?|constraint|unless|except|then|after that|finally|step|prove|design|why"
    r"|optimi[sz]e|architecture|concurren\w+|distributed|thread-safe|complexity|trade-?off|compare|edge cases?)\b"
    r"|^\s*(?:[-*]|\d+[.)])\s",
    re.IGNORECASE | re.MULTILINE,
)
