"""Finish reasons of vLLM: either the answer is complete, or the segment has failed."""

from collections.abc import Mapping
from typing import Final

from ghostrouter.errors import SegmentFailed
from ghostrouter.types import FinishReason

WHOLE: Final[Mapping[str, FinishReason]] = {"stop": "stop", "length": "length"}
BROKEN: Final[Mapping[str, str]] = {
    "abort": "its engine aborted the request",
    "error": "its engine failed at the request",
    "repetition": "its engine stopped it for repeating itself",
}


def is_whole(told: str | None) -> bool:
    """Whether the answer is complete or still running, and has not failed."""
    return told is None or told in WHOLE


def finish_reason(told: str | None, model: str) -> FinishReason | None:
    """The finish reason of a complete answer; None while the answer is running.

    Raises:
        SegmentFailed: the engine stopped before the answer was complete, or for an unknown reason.
    """
    if told is None:
        return None
    if told in WHOLE:
        return WHOLE[told]
    raise SegmentFailed(f"{model}: {BROKEN.get(told, f'its engine stopped for an unknown reason ({told})')}")
