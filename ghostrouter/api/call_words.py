"""The words of the call API. Code that only sends calls needs no more than these."""

from typing import Literal

IntentClass = Literal[
    "lookup", "summarize", "extract", "compare", "draft", "classify", "reason", "critique", "translate", "unknown"
]
TrustTier = Literal["trusted", "standard", "untrusted"]
Determinism = Literal["strict", "best_effort", "off"]
Verbosity = Literal["minimal", "standard", "full"]
