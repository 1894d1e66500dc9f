"""What telemetry makes of the signals that replicas report."""

import pytest

from deployments.telemetry import Telemetry
from ghostrouter.events import metrics
from ghostrouter.signals.batch import SignalBatch, matrix
from tests.deployments.fakes import Meter
from tests.make import token


@pytest.mark.parametrize(
    ("accepted", "average", "told"), [(0, 1.0, 0.0), (3, 1.0, 2.0), (0, 0.5, 1.0)], ids=["none yet", "all", "half"]
)
async def test_the_acceptance_of_drafts_is_told_once_drafts_were_proposed(
    accepted: int, average: float, told: float
) -> None:
    """A model whose drafts were always accepted was never in the metric: 1 also means that there were none yet."""
    meter = Meter()
    drafted = token()._replace(accepted_drafts=accepted, draft_acceptance=average)
    await Telemetry({}, meter).observe(SignalBatch("m", (), matrix([drafted, drafted])))
    assert meter.sums[metrics.DRAFT_ACCEPTANCE.name] == told
