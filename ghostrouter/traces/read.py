"""Read trace files. Errors name the file and the line."""

import math
from copy import deepcopy
from pathlib import Path

import numpy as np

from ghostrouter.signals.batch import COLUMNS, Floats
from ghostrouter.signals.entropy import bounds
from ghostrouter.signals.kind import kind
from ghostrouter.signals.steps import StepTracker
from ghostrouter.signals.surface import SurfaceTracker
from ghostrouter.traces.jsonl import read_lines
from ghostrouter.traces.line import Line
from ghostrouter.traces.trace import Trace

# The vocabulary size for lines without one. The tail of the distribution is spread over it.
_VOCABULARY = 100_000


def read(path: Path) -> list[Trace]:
    """Read all traces of a file.

    Raises:
        TraceInvalid: the file cannot be read, is empty or has a wrong line; the message is `file:line: what`.
    """
    return [as_trace(line) for line in read_lines(path, Line)]


def as_trace(line: Line) -> Trace:
    """Turn a line into a trace."""
    return Trace(
        line.model,
        line.group or line.prompt,
        signals(line),
        line.ranges,
        line.is_wrong,
        line.prompt,
        line.context or line.tokens,
        line.rescue,
        "rescue" in line.model_fields_set,
    )


def signals(line: Line) -> Floats:
    """The signals of a line's tokens, of shape (tokens, columns), as an engine would report them.

    If a line has entropies only, the likeliest token gets the probability e^-entropy, the lowest possible, and the
    second token gets the rest. If it has the log-probabilities of the chosen tokens only, each counts as the likeliest;
    entropy and margin are zero, as for a provider that tells no more.
    """
    out = np.zeros((len(line.tokens), len(COLUMNS)), dtype=np.float32)
    steps, surface = StepTracker(), SurfaceTracker(line.prompt)
    for i, (text, real) in enumerate(zip(line.tokens, line.context or line.tokens, strict=True)):
        begins = steps.push(real) if line.step_starts is None else i in line.step_starts
        surface_signals = (surface if text == real else deepcopy(surface)).push(text)
        if text != real:
            surface.push(real)
        drafts = line.draft_acceptance[i] if line.draft_acceptance else 0.0 if line.text_only else 1.0
        of_text = {
            "step_start": begins,
            "kind": kind(text),
            "repetition": surface_signals.repetition,
            "novelty": surface_signals.novelty,
        }
        values = _of_logprobs(line, i) | of_text | {"draft_acceptance": drafts}
        out[i] = [values.get(name, 0.0) for name in COLUMNS]
    return out


def _of_logprobs(line: Line, i: int) -> dict[str, float]:
    """The columns that come from log-probabilities and entropies, for one token; empty without them."""
    if line.text_only:
        return {}
    top: tuple[float, ...]
    if line.top_logprobs is None and line.entropies is None:
        chosen = line.logprobs[i] if line.logprobs else 0.0
        return {"logprob": chosen, "top_logprob": chosen}
    if line.top_logprobs is None:
        low = high = entropy = line.entropies[i] if line.entropies else 0.0
        second = math.log(max(-math.expm1(-entropy), 1e-6))
        top = (-entropy, min(-entropy, second))
    else:
        top = line.top_logprobs[i]
        bound = bounds(top, max(line.vocab_size or _VOCABULARY, len(top)))
        low, high, entropy = bound.lower_nats, bound.upper_nats, bound.estimate_nats
        if line.entropies is not None:
            low = high = entropy = line.entropies[i]
    return {
        "entropy_nats": entropy,
        "entropy_lower_nats": low,
        "entropy_upper_nats": high,
        "margin": top[0] - top[1] if len(top) > 1 else 0.0,
        "logprob": line.logprobs[i] if line.logprobs else top[0],
        "top_logprob": top[0],
        "second_gap": top[1] - top[2] if len(top) > 2 else 0.0,
    }
