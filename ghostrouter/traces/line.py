"""The format of one line of a trace file."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
_ROUNDING = 1e-3
_OF_LOGPROBS = ("top_logprobs", "entropies", "logprobs", "draft_acceptance")


class Line(BaseModel):
    """An answer of a model, token by token. docs/traces.md explains each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    prompt: str
    model: str = Field(min_length=1)
    tokens: tuple[str, ...] = Field(min_length=1)
    top_logprobs: tuple[tuple[Finite, ...], ...] | None = None
    entropies: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] | None = None
    logprobs: tuple[Finite, ...] | None = None
    first_wrong: int | None = Field(default=None, ge=0)
    spans: tuple[tuple[int, int], ...] | None = None
    wrong: bool | None = None
    rescue: int | None = Field(default=None, ge=0)
    rescue_monotonic: bool | None = None
    group: str | None = None
    vocab_size: int | None = Field(default=None, gt=0)
    step_starts: tuple[int, ...] | None = None
    context: tuple[str, ...] | None = None
    draft_acceptance: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    text_only: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = [name for name in _OF_LOGPROBS if getattr(self, name) is not None]
        if self.text_only and known:
            raise ValueError(f"text_only is set, so {known[0]} must not be given")
        if not (set(known) & {"top_logprobs", "entropies", "logprobs"}) and not self.text_only:
            raise ValueError("top_logprobs, entropies or logprobs is needed, or text_only")
        self._check_label()
        for name in known:
            if (count := len(getattr(self, name))) != len(self.tokens):
                raise ValueError(f"{name} has {count} entries for {len(self.tokens)} tokens")
        for i, top in enumerate(self.top_logprobs or ()):
            _check_top(i, top, self.vocab_size)
        _check_spans(self.ranges, len(self.tokens))
        if self.context is not None and len(self.context) != len(self.tokens):
            raise ValueError(f"context has {len(self.context)} entries for {len(self.tokens)} tokens")
        if any(not 0 <= i < len(self.tokens) for i in self.step_starts or ()):
            raise ValueError("step_starts has an index outside the tokens")
        return self

    def _check_label(self) -> None:
        located = ("first_wrong" in self.model_fields_set) + (self.spans is not None)
        if located > 1 or not (located or self.wrong is not None):
            raise ValueError("either first_wrong (null for a right answer) or spans is needed, or wrong, not both")
        if located and self.wrong is not None and self.wrong != bool(self.ranges):
            raise ValueError("wrong contradicts the wrong tokens")
        if "rescue" in self.model_fields_set and not self.is_wrong:
            raise ValueError("rescue is for wrong answers")
        if self.rescue is not None and self.rescue > len(self.tokens):
            raise ValueError(f"rescue is behind the {len(self.tokens)} tokens")

    @property
    def is_wrong(self) -> bool:
        """Whether the answer is wrong, wherever."""
        return bool(self.wrong or self.ranges)

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The spans of wrong tokens. From `first_wrong` on, all tokens are wrong."""
        if self.spans is not None:
            return self.spans
        return () if self.first_wrong is None else ((self.first_wrong, len(self.tokens)),)


def _check_top(i: int, top: Sequence[float], vocab_size: int | None) -> None:
    if not top:
        raise ValueError(f"top_logprobs of token {i} is empty")
    if vocab_size is not None and len(top) > vocab_size:
        raise ValueError(f"top_logprobs of token {i} has more entries than the vocabulary")
    if any(a < b for a, b in pairwise(top)):
        raise ValueError(f"top_logprobs of token {i} is not sorted, the likeliest first")
    total = sum(math.exp(min(x, 1.0)) for x in top)
    if total > 1 + _ROUNDING:
        raise ValueError(f"the probabilities in top_logprobs of token {i} sum to {total:.4f}, more than one")


def _check_spans(spans: Sequence[tuple[int, int]], tokens: int) -> None:
    end = 0
    for a, b in spans:
        if not end <= a < b <= tokens:
            raise ValueError(f"the span [{a}, {b}) is empty, out of order or outside the {tokens} tokens")
        end = b
