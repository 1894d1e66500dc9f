"""What answers tell of the models that wrote them, and of the tasks they were for."""

import math
from itertools import zip_longest

from ghostrouter.policy.observed import Observed
from ghostrouter.policy.tiers import Promotions
from ghostrouter.replay.segment import Segment
from ghostrouter.replay.session import Session


def learn(session: Session, failed: bool, observed: Observed, promotions: Promotions, now_s: float) -> int:
    """Take in a session that is over; `failed` says that its last segment brought an error.

    Returns how many rows up its task is promoted now.
    """
    for segment, after in zip_longest(session.segments, session.segments[1:]):
        if after.reason in ("failure", "shed") if after else failed:
            observed.failed(segment.model, now_s)
        elif segment.ttft_s is not None and segment.first_token_at_s and segment.last_token_at_s:
            rest_s = segment.last_token_at_s - segment.first_token_at_s
            observed.answered(segment.model, segment.ttft_s, segment.generated_tokens, rest_s, now_s)
    label = session.plan.classification
    if not label or not session.segments:
        return 0
    first = session.segments[0]
    return promotions.observe(label.task, first.ttft_s, confidence(first), now_s)


def confidence(segment: Segment) -> float | None:
    """The geometric mean of its tokens' probabilities; None where the engine tells none."""
    told = [t.logprob for t in segment.tokens if t.rank]
    return math.exp(sum(told) / len(told)) if told else None
