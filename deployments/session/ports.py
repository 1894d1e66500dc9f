"""What the conductor drives, as it sees it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from ghostrouter.replay.seam import Seam, SeamRequest
from ghostrouter.types import Frame, SegmentRequest


class Engines(Protocol):
    """All models, local and cloud, behind one method."""

    def stream(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Frames of a segment. Raises SegmentFailed when its engine stops before the end."""
        ...


class Seams(Protocol):
    """Plans seams."""

    async def plan(self, request: SeamRequest) -> Seam:
        """How the answer goes on. Raises SeamRefused when the target cannot go on with it."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Both of them."""

    engines: Engines
    seams: Seams
