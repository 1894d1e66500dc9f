"""Whether to ask the same model once more after a failure, and how long to wait before."""

from dataclasses import dataclass
from random import Random

from ghostrouter.errors import ProviderBusy, ProviderRefused, ProviderRejected, SegmentFailed


@dataclass(frozen=True, slots=True)
class Retry:
    """Waits are random between nothing and `base_s`, then twice that, and so on, up to `most_s` ("full jitter", AWS
    Architecture Blog, 2015): callers that failed together do not come back together. What a provider asks for comes
    first, and if it asks for more than `most_s` it is not asked again."""

    base_s: float = 0.25
    most_s: float = 10.0

    def wait_s(self, failure: SegmentFailed, failures: int, rng: Random) -> float | None:
        """How long to wait before the same model is asked again that has failed `failures` times; None: never."""
        if isinstance(failure, ProviderRefused | ProviderRejected):
            return None
        asked_s = (failure.retry_after_s or 0.0) if isinstance(failure, ProviderBusy) else 0.0
        if asked_s > self.most_s:
            return None
        return asked_s + rng.uniform(0.0, min(self.most_s, self.base_s * 2 ** max(0, failures - 1)))
