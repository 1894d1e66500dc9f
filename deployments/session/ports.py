"""The parts that the conductor drives, as protocols."""

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
        """Plan how the answer continues. Raises SeamRefused if the target cannot continue it."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Engines and seams."""

    engines: Engines
    seams: Seams
