"""How much is redacted."""

from typing import Literal

Mode = Literal["off", "auto", "strict"]
MODES: tuple[Mode, ...] = ("off", "auto", "strict")
