"""Models behind somebody else's API, yielding the same frames as local replicas."""

from collections.abc import AsyncGenerator

from ghostrouter.errors import SegmentFailed
from ghostrouter.types import Frame, SegmentRequest


class CloudPool:
    """No provider is supported yet: the pool is wired, offers no model and refuses in words."""

    async def models(self) -> list[str]:
        """The models that can be asked for."""
        return []

    async def generate(self, request: SegmentRequest) -> AsyncGenerator[Frame, None]:
        """Write a segment.

        Raises:
            SegmentFailed: no provider offers the model.
        """
        if request.model not in await self.models():
            raise SegmentFailed(f"no cloud provider offers {request.model}")
        yield Frame(request.key, 0, ())
