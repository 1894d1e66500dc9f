"""What the conductor drives, as it sees it."""

from collections.abc import AsyncGenerator
from typing import Protocol

from ghostrouter.replay.seam import Seam, SeamRequest
from ghostrouter.types import Frame, SegmentRequest


class Engines(Protocol):
    """Every model behind one door, local replicas and cloud alike."""

    def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Raises SegmentFailed when its engine stops before the end."""
        ...


class Seams(Protocol):
    """Who computes seams."""

    async def plan(self, request: SeamRequest) -> Seam:
        """How the answer goes on. Raises SeamRefused when the target cannot go on with it."""
        ...
