"""The calibration file of a model: what its signals mean and where its thresholds lie."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghostrouter.detect.cusum import Cusum
from ghostrouter.detect.detector import Floats, State, Tick
from ghostrouter.detect.level import Level
from ghostrouter.detect.slope import Slope
from ghostrouter.errors import ConfigError


class Weights(BaseModel):
    """Logistic regression from the detectors' scores to the log-odds of trouble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: float
    level: float
    slope: float
    cusum: float


class Screen(BaseModel):
    """The replica's own quick look at a token: above this entropy it waits for a verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entropy_nats: float = Field(ge=0)


class Calibration(BaseModel):
    """Thresholds of one model, fitted from labelled traces of that model.

    Risk is raised from `warm_risk` on and calms down after `quiet_tokens` tokens below `quiet_risk`; the
    gap between the two is the hysteresis. At `handoff_risk` the answer is handed off. A segment is calm
    enough to be handed back at a step boundary after `calm_tokens` tokens below `quiet_risk`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    slope_window_tokens: int = Field(ge=2)
    cusum_drift_nats: float = Field(ge=0)
    weights: Weights
    warm_risk: float = Field(ge=0, le=1)
    handoff_risk: float = Field(ge=0, le=1)
    quiet_risk: float = Field(ge=0, le=1)
    quiet_tokens: int = Field(ge=1)
    calm_tokens: int = Field(ge=0)
    screen: Screen
    fitted_on: str = Field(description="the traces behind these numbers, in words")

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read a calibration file.

        Raises:
            ConfigError: the file is missing, is no JSON or lacks a field.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"calibration file {path}: {error.strerror}") from error
        except ValidationError as error:
            raise ConfigError(f"calibration file {path}: {error}") from error


class Risk:
    """The calibrated detector: the probability that trouble has begun, from level, slope and CUSUM."""

    def __init__(self, calibration: Calibration) -> None:
        self._weights = calibration.weights
        self._level = Level()
        self._slope = Slope(calibration.slope_window_tokens)
        self._cusum = Cusum(calibration.cusum_drift_nats)

    @property
    def width(self) -> int:
        return self._slope.width + self._cusum.width

    def features(self, state: State, tick: Tick) -> Floats:
        """Level, slope and CUSUM of every segment, of shape (segments, 3)."""
        split = self._slope.width
        return np.stack(
            (
                self._level.step(state, tick),
                self._slope.step(state[:, :split], tick),
                self._cusum.step(state[:, split:], tick),
            ),
            axis=1,
        )

    def step(self, state: State, tick: Tick) -> Floats:
        weights = np.array([self._weights.level, self._weights.slope, self._weights.cusum])
        log_odds = self.features(state, tick) @ weights + self._weights.bias
        risk: Floats = (1.0 / (1.0 + np.exp(-np.clip(log_odds, -60, 60)))).astype(np.float32)
        return risk
