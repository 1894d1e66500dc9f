"""The part of a calibration that judges whole answers: P(this answer is wrong | all of it so far)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.prefix_features import NAMES, SIGNALS
from ghostrouter.detect.prefix_model import PrefixModel, PrefixWeights
from ghostrouter.detect.running import RunningFeatures


class Rescue(BaseModel):
    """The share of wrong answers that the stronger model can still put right, from a prefix of so many tokens on.

    `tokens` rises. `share` falls; it holds from its number of tokens up to the next. Learned from rescue labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[int, ...] = Field(min_length=1)
    share: tuple[float, ...]

    def at(self, position: int) -> float:
        """The share at a position, from 0 to 1."""
        found = int(np.searchsorted(self.tokens, position, side="right")) - 1
        return self.share[max(0, found)]


class AnswerRisk(BaseModel):
    """What judges answers, and from which risk on an answer alarms.

    `tokens` is the mean length of the answers it was fitted to. At `alarm_risk` or above an answer is handed off; null:
    no risk keeps the promise, so that none alarms. `false_alarms_per_100_answers` is the promise: of 100 right answers
    so many alarm at most. `rescue` is None if there were no rescue labels; then every wrong answer counts as rescuable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: PrefixWeights
    tokens: float = Field(gt=0)
    alarm_risk: float | None = Field(ge=0, le=1)
    false_alarms_per_100_answers: float = Field(gt=0)
    rescue: Rescue | None = None


class AnswerDetector:
    """Judges one token of each of many segments that began their answers. The state is that of RunningFeatures."""

    def __init__(self, risk: AnswerRisk) -> None:
        self._running = RunningFeatures()
        self._model = PrefixModel(risk.weights)
        self.width = self._running.width

    def step(self, state: State, tick: Tick, text: Sequence[tuple[float, ...]]) -> npt.NDArray[np.float64]:
        """P(wrong) of each segment's answer, of shape (segments,); updates `state`.

        `text` has a row of `answer_text.NAMES` per segment.
        """
        features: Floats = np.empty((len(state), len(NAMES)), np.float32)
        features[:, :SIGNALS] = self._running.features(state, tick)
        features[:, SIGNALS:] = text
        return self._model.risk(features)
