"""The quick look at a token, taken where it is made: may it leave before telemetry has seen it?"""

import math
from dataclasses import dataclass

from ghostrouter.types import Token


@dataclass(frozen=True, slots=True)
class ScreenTable:
    """The thresholds telemetry hands to the engines of a model.

    A token above `entropy_nats` is risky. After `calm_tokens` tokens below it, a step boundary is a place
    where the answer might be handed back.
    """

    entropy_nats: float
    calm_tokens: int


class LocalScreen:
    """Looks at the tokens of one segment, in order. Without a table nothing is risky.

    Where no risk leads to a handoff a token need not wait; where no calm leads to a hand-back no boundary matters.
    """

    def __init__(
        self, table: ScreenTable | None, hand_off_at: float = math.nan, hand_back_below: float = -math.inf
    ) -> None:
        self._table = table
        self._may_hand_off = hand_off_at != math.inf
        self._may_hand_back = hand_back_below != -math.inf
        self._calm_run = 0

    def is_risky(self, token: Token, index: int) -> bool:
        """Whether the token, at `index` within its segment, has to wait for a verdict."""
        if self._table is None:
            return False
        boundary = self._may_hand_back and token.step_start and index > 0
        switch_point = boundary and self._calm_run >= self._table.calm_tokens
        above = token.entropy_nats >= self._table.entropy_nats
        self._calm_run = 0 if above else self._calm_run + 1
        return (above and self._may_hand_off) or switch_point
