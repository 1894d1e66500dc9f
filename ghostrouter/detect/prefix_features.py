"""The features of an answer up to a token: of its signals and of its text."""

from typing import Final

from ghostrouter.detect import running
from ghostrouter.signals import answer_text

NAMES: Final = (*running.NAMES, *answer_text.NAMES)
SIGNALS: Final = len(running.NAMES)
"""The first so many are of the signals; the others are of the text alone."""
