"""What telemetry makes of the signals that replicas report."""

import asyncio
from collections import defaultdict

import numpy as np
import pytest

from deployments.telemetry import SAMPLE, Telemetry
from ghostrouter.detect.calibration import AlarmRate
from ghostrouter.events import metrics
from ghostrouter.events.metrics import Metric
from ghostrouter.signals.batch import COLUMNS, Reported, SignalBatch, matrix
from ghostrouter.types import SegmentKey
from tests.deployments.fakes import Meter
from tests.make import calibration, token

_ENTROPY = COLUMNS.index("entropy_nats")


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


def _observed(segments: int, each: int) -> dict[str, list[float]]:
    """The values of each metric, for a report in which the entropy rises from token to token."""
    found: defaultdict[str, list[float]] = defaultdict(list)

    def emit(metric: Metric, value: float, **labels: str) -> None:
        assert set(labels) == set(metric.labels)
        found[metric.name].append(value)

    values = np.zeros((segments * each, len(COLUMNS)), dtype=np.float32)
    values[:, _ENTROPY] = np.arange(len(values))
    values[:, COLUMNS.index("draft_acceptance")] = 0.5
    reported = tuple(
        Reported(SegmentKey(f"s{i}", 0), 0, each, "handoff" if i % 4 == 0 else "continue", 0.5) for i in range(segments)
    )
    asyncio.run(Telemetry({}, emit).observe(SignalBatch("m", reported, values)))
    return found


def test_every_token_of_a_short_report_is_observed() -> None:
    found = _observed(segments=4, each=SAMPLE // 4)
    assert found[metrics.ENTROPY.name] == [float(i) for i in range(SAMPLE)]
    assert len(found[metrics.DRAFT_ACCEPTANCE.name]) == SAMPLE
    assert found[metrics.RISK.name] == [0.5] * 4


def test_histograms_get_a_sample_of_a_long_report_and_counters_all_of_it() -> None:
    segments, each = 1000, 16
    found = _observed(segments, each)
    entropies = found[metrics.ENTROPY.name]
    assert SAMPLE / 2 < len(entropies) <= SAMPLE
    assert len(found[metrics.RISK.name]) <= SAMPLE
    # Evenly spaced over the whole report.
    assert abs(np.mean(entropies) - segments * each / 2) < segments * each / SAMPLE
    assert sorted(found[metrics.VERDICTS.name]) == [250, 750]


def test_the_slope_of_the_entropy_and_the_time_between_tokens() -> None:
    """The first token of a segment has waited for its prompt, so its time is not one between tokens."""
    found: list[tuple[str, float, dict[str, str]]] = []

    def emit(metric: Metric, value: float, **labels: str) -> None:
        found.append((metric.name, value, labels))

    values = np.zeros((9, len(COLUMNS)), dtype=np.float32)
    values[:, _ENTROPY] = [0, 1, 2, 3, 5, 4.5, 4, 3.5, 7]
    values[:, COLUMNS.index("inter_token_s")] = [9, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 8]
    segments = (
        Reported(SegmentKey("a", 0), 0, 4, counted=4, alarms=1),
        Reported(SegmentKey("b", 0), 7, 4, counted=4),
        Reported(SegmentKey("c", 0), 0, 1),
    )
    alarms = AlarmRate(per_token=0.01, spread=1.0)
    judge = Telemetry({"m": calibration(alarms=alarms)}, emit)
    asyncio.run(judge.observe(SignalBatch("m", segments, values)))
    slopes = {labels["direction"]: value for name, value, labels in found if name == metrics.ENTROPY_SLOPE.name}
    assert slopes == {"rising": pytest.approx(1.0), "falling": pytest.approx(0.5)}
    gaps = [value for name, value, _ in found if name == metrics.INTER_TOKEN.name]
    assert gaps == pytest.approx([0.1] * 3 + [0.2] * 4)
    told = {name: value for name, value, _ in found}
    assert told[metrics.JUDGED_TOKENS.name] == 8
    assert told[metrics.ALARMS.name] == 1
    assert told[metrics.CALIBRATED_ALARM_RATE.name] == 0.01


def test_an_empty_report_is_no_error() -> None:
    assert not _observed(0, 0).get(metrics.ENTROPY.name)
