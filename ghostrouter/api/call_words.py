"""The words of the call API, for those who only send calls."""

from typing import Literal

IntentClass = Literal[
    "lookup", "summarize", "extract", "compare", "draft", "classify", "reason", "critique", "translate", "unknown"
]
TrustTier = Literal["trusted", "standard", "untrusted"]
Determinism = Literal["strict", "best_effort", "off"]
Verbosity = Literal["minimal", "standard", "full"]
